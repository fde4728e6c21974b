/** How an agent answers requests, by the names that `register` knows. */

const RESPONDERS = {
  echo: (value) => value,
  upper: (value) => value.toUpperCase(),
  reverse: (value) => [...value].reverse().join(''),
  sum: (value) => value.reduce((sum, item) => sum + item, 0),
  length: (value) => value.byteLength ?? [...value].length,
  null: () => null,
  throw: () => {
    throw new Error('responder refused');
  },
  never: () => new Promise(() => {}),
};

/**
 * The function that answers requests to an action registered by `command`; none if the command
 * does not say how, in which case Trystero itself refuses them after a moment.
 */
export const makeResponder = ({ respond, reply }) => {
  if (reply !== undefined) {
    return () => reply;
  }
  if (respond === undefined) {
    return undefined;
  }
  if (!Object.hasOwn(RESPONDERS, respond)) {
    throw new Error(`there is no way to respond called ${JSON.stringify(respond)}`);
  }
  return RESPONDERS[respond];
};
