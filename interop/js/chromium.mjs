/** How Chromium is started, also as root and where it must not call anybody. */

/** The program. */
export const EXECUTABLE = process.env.CHROMIUM || '/usr/bin/chromium';

/** Arguments beside `--headless`, which playwright adds. */
export const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Cameras and microphones that need no hardware and no permission.
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream=fps=30',
  '--autoplay-policy=no-user-gesture-required',
];

/** What playwright adds and is not wanted: a muted browser hears nothing. */
export const NOT_ARGS = ['--mute-audio'];

/** Shows peers real addresses instead of mDNS names. */
export const REAL_ADDRESSES = '--disable-features=WebRtcHideLocalIpsWithMdns';

/** Lets a page collect its garbage when it wants. */
export const EXPOSE_GC = '--js-flags=--expose-gc';
