/** What happens between peers beside NATs. Each gives `{said, differences}`. */
import { runMoved } from './moved.mjs';
import { JAVASCRIPT_SCENES } from './moved-from-javascript.mjs';
import { SERVER_SCENES } from './servers.mjs';
import { runSlow } from './slow.mjs';

export const SCENES = [
  { name: 'slow', run: runSlow },
  { name: 'moved', run: runMoved, isTimed: true },
  ...JAVASCRIPT_SCENES,
  ...SERVER_SCENES,
];
