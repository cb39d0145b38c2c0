"""Pure conversion of a foreign nginx stack to sites and custom files of stackctl."""
