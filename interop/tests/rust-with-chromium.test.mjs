import { defineRustMeets, defineRustWith } from './rust-with.mjs';

defineRustWith('chromium');

// What hides its addresses only has to be met: the rest is the same.
defineRustMeets('chromium-mdns');
