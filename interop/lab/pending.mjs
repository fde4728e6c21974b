/**
 * What the program is known not to do yet. It is run and told all the same, with why; what is done
 * meanwhile is told too, and then has to go from here.
 */
const PENDING = [
  {
    why: 'a connection does not survive a change of interface yet',
    concerns: ({ name }) => name === 'moved',
  },
];

/** Why a result of the program may differ, or nothing if it may not. */
export const whyPending = (result) => PENDING.find(({ concerns }) => concerns(result))?.why;
