/**
 * npm's `firebase-server`: the Firebase Realtime Database by another hand, on Google's own client of
 * that time. That does not go together with the one of today, so it has a folder of its own.
 *
 * It knows no `onDisconnect` and does not answer it: what clients leave behind stays. Nor does it
 * know that a client stops listening, and at every change it tells all that is listened to anew.
 */
import { existsSync } from 'node:fs';
import { Server } from '../service.mjs';

const INSTALLED = new URL('node_modules/firebase-server/package.json', import.meta.url);

/** Why it can't run here, or nothing if it can. */
export const whyMissing = () =>
  existsSync(INSTALLED) ? undefined : 'servers/firebase-server has no packages: `npm ci` there';

/** Its URL, with the name of a database, is what Trystero takes as the app's id. */
export const start = async (options) => {
  const { default: FirebaseServer } = await import('firebase-server');
  const makeDatabase = () => {
    const database = new FirebaseServer({ noServer: true });
    return {
      connect: (socket, { headers }) => {
        // Clients come back to the host by whose name they are greeted.
        database.name = headers.host;
        database.handleConnection(socket);
      },
      end: () => Promise.all([database.close(), database.app.delete()]),
    };
  };
  return Server.start(makeDatabase, { scheme: 'http', path: '/?ns=interop', ...options });
};
