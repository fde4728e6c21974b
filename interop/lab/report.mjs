/** What came of the cells, as lines while they run, as a table, and in the documentation. */
import { readFileSync, writeFileSync } from 'node:fs';
import { PAIRS } from './kinds.mjs';
import { SERVERS } from './theory.mjs';

const DOCUMENT = new URL('../../docs/connectivity.md', import.meta.url);
const BEGIN = '<!-- lab: begin -->';
const END = '<!-- lab: end -->';

/** One line about something that was run: its verdict, and what there is to say. */
export const line = ({ name, verdict, said, differences = [] }) =>
  [
    `${verdict.padEnd(7)} ${name.padEnd(48)} ${said ?? ''}`.trimEnd(),
    ...differences.map(({ text }) => `        ${text}`),
  ].join('\n');

/** An outcome in a few words: the path that each side tells and the time, or the reasons. */
export const words = ({ connects, ms, sides }) => {
  if (!connects) {
    const reasons = new Set(sides.map(({ reason }) => reason ?? 'no reason told'));
    return `no: ${[...reasons].join(', ')}`;
  }
  return `${sides.map(pathOf).join(', ')}, ${(ms / 1000).toFixed(2)} s`;
};

/** The cells that have been run, as a table in Markdown. */
export const table = (results) => {
  const columns = Object.keys(SERVERS);
  const byCell = new Map(results.map((result) => [`${result.pair}|${result.servers}`, result]));
  const cell = (pair, servers) => {
    const result = byCell.get(`${pair}|${servers}`);
    return result ? `${result.verdict === 'ok' ? '' : `${result.verdict}: `}${result.said}` : '–';
  };
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [
    row(['peers', ...columns]),
    row(['---', ...columns.map(() => '---')]),
    ...PAIRS.filter(({ name }) => results.some(({ pair }) => pair === name)).map(({ name }) =>
      row([name, ...columns.map((servers) => cell(name, servers))]),
    ),
  ].join('\n');
};

/** The scenes that have been run, as a table in Markdown. */
export const sceneTable = (results) =>
  [
    '| scene | what came of it |',
    '| --- | --- |',
    ...results.map(({ name, verdict, said }) => {
      const told = verdict === 'ok' ? said : `${verdict}: ${said}`;
      return `| ${name} | ${told} |`;
    }),
  ].join('\n');

/** Puts a table between the marks in the documentation. */
export const writeDocument = (markdown) => {
  const [before, rest] = readFileSync(DOCUMENT, 'utf8').split(BEGIN);
  if (!rest?.includes(END)) {
    throw new Error(`docs/connectivity.md has no place for a table: ${BEGIN} and ${END}`);
  }
  const after = rest.slice(rest.indexOf(END));
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n${markdown}\n${after}`);
};

const pathOf = ({ local, remote }) => `${local ?? '?'}→${remote ?? '?'}`;
