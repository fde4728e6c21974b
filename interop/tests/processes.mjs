/** Processes that must not outlive this one, however it ends. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const running = new Set();
process.on('exit', () => running.forEach(({ pid }) => pid && killTree(pid)));

/** Has `child` killed, with all that it started, if it still runs when this process ends. */
export const keepUntilExit = (child) => {
  running.add(child);
  child.on('close', () => running.delete(child));
};

/** Kills a process and its descendants, the youngest first, so that none sees another go. */
export const killTree = (root) => {
  const children = childrenByParent();
  const descend = (pid) => [...(children.get(pid) ?? []).flatMap(descend), pid];
  descend(root).forEach((pid) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  });
};

/** The process tree; empty where there is no /proc. */
const childrenByParent = () => {
  const children = new Map();
  const pids = existsSync('/proc') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  pids.forEach((pid) => {
    const parent = parentOf(pid);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
  });
  return children;
};

const parentOf = (pid) => {
  try {
    // The name before it is in parentheses and may hold anything.
    const [, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return Number(parent);
  } catch {
    return undefined;
  }
};
