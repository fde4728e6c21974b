/** Which cells are run without `--all`. */
export const isSelected = () => true;
