import { defineRustMeets, defineRustWith } from './rust-with.mjs';
import { defineRefusedMedia } from './scenarios/media.mjs';
import { defineRestarts } from './scenarios/restarts.mjs';

defineRustWith('chromium', (pair) => {
  defineRefusedMedia(pair);
  defineRestarts(pair);
});

// What hides its addresses only has to be met: the rest is the same.
defineRustMeets('chromium-mdns');
