/** Puts the matrix of the last run of the tests into the README. */
import { putIntoReadme } from './table.mjs';

putIntoReadme();
