import { defineRustMeets, defineRustWith } from './rust-with.mjs';
import { defineRefusedMedia } from './scenarios/media.mjs';

defineRustWith('chromium', defineRefusedMedia);

// What hides its addresses only has to be met: the rest is the same.
defineRustMeets('chromium-mdns');
