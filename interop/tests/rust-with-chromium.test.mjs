import { defineRustMeets, defineRustWith } from './rust-with.mjs';
import { defineRestarts } from './scenarios/restarts.mjs';

defineRustWith('chromium', defineRestarts);

// What hides its addresses only has to be met: the rest is the same.
defineRustMeets('chromium-mdns');
