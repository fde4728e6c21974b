/**
 * What came of each pair of peers by each strategy, as a table: `npm run matrix` puts the last one
 * into the project's README.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../../matrix.json', import.meta.url);
const README = new URL('../../../README.md', import.meta.url);
const BEGIN = '<!-- matrix: begin -->';
const END = '<!-- matrix: end -->';

export class Table {
  #columns;
  #rows = [];
  #cells = new Map();
  #reasons = [];

  constructor(columns) {
    this.#columns = columns;
  }

  /** Adds a row of cells, which have not been run until they are `set`. */
  add(row) {
    this.#rows.push(row);
  }

  /** Says what came of a cell. */
  set(row, column, passed) {
    this.#cells.set(`${row}|${column}`, passed ? 'yes' : 'FAILED');
  }

  /** Says in a sentence why something was not run. */
  explain(reason) {
    this.#reasons.push(reason);
  }

  toMarkdown() {
    const line = (cells) => `| ${cells.join(' | ')} |`;
    const cellsOf = (row) =>
      this.#columns.map((column) => this.#cells.get(`${row}|${column}`) ?? '–');
    return [
      line(['strategy, peers', ...this.#columns]),
      line(['---', ...this.#columns.map(() => '---')]),
      ...this.#rows.map((row) => line([row, ...cellsOf(row)])),
      '',
      ...this.#reasons.map((reason) => `- ${reason}`),
    ].join('\n');
  }

  /** Keeps it for `npm run matrix`. */
  save() {
    writeFileSync(FILE, `${JSON.stringify({ markdown: this.toMarkdown() }, null, 2)}\n`);
  }
}

/** Puts the last table that was saved into the README. */
export const putIntoReadme = () => {
  const { markdown } = JSON.parse(readFileSync(FILE, 'utf8'));
  const [before, rest] = readFileSync(README, 'utf8').split(BEGIN);
  const after = rest.slice(rest.indexOf(END));
  writeFileSync(README, `${before}${BEGIN}\n${markdown.trimEnd()}\n${after}`);
};
