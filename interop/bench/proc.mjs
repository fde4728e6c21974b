/** What processes cost, out of Linux's /proc. */
import { readFileSync, readdirSync } from 'node:fs';

/** What /proc counts processor time in: USER_HZ, which is the same on every Linux. */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/PID/stat after the name, by proc(5). */
const PARENT = 1;
const TIMES = [11, 15];

/**
 * Processor time that a process and all that it started have used, in user mode and in the kernel.
 * What has ended is in the time of its parent.
 */
export const cpuSeconds = (root) => {
  const processes = new Map(pids().map((pid) => [pid, statOf(pid)]));
  const isWithin = (pid) => pid === root || (pid > 1 && isWithin(parentOf(pid)));
  const parentOf = (pid) => processes.get(pid)?.[PARENT] ?? 0;
  const ticks = [...processes]
    .filter(([pid, fields]) => fields && isWithin(pid))
    .flatMap(([, fields]) => fields.slice(...TIMES));
  return ticks.reduce((sum, count) => sum + count, 0) / TICKS_PER_SECOND;
};

/** Memory that a process has in RAM, and the most that it has had, in bytes. */
export const memoryOf = (pid) => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name) =>
    Number(status.match(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm'))[1]) * 1024;
  return { rss: bytes('VmRSS'), peak: bytes('VmHWM') };
};

const pids = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** The fields after the name, which is in parentheses and may hold anything. */
const statOf = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ').map(Number);
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
};
