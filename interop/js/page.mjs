/**
 * The agent as the script of a page, for `browser.mjs`, which provides `strategies`, `agentEmit`
 * and `agentExit` and calls the global `agent`.
 */
import { Agent } from './agent-core.mjs';
import { strategies } from 'strategies';

const noFiles = async () => {
  throw new Error('a browser has no files');
};

globalThis.agent = new Agent({
  strategies,
  host: {
    stats: () => ({ heapBytes: performance.memory?.usedJSHeapSize }),
    readFile: noFiles,
    saveFile: noFiles,
    exit: () => globalThis.agentExit(),
  },
  emit: (event) => {
    globalThis.agentEmit(JSON.stringify(event));
    if (event.event === 'left') {
      // Trystero makes twenty connections for each new room, and a page may have five hundred that
      // were not collected yet.
      globalThis.gc();
    }
  },
});
