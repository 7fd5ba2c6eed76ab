/** As `package.json` has it; a test holds both equal. */
export const VERSION = "0.1.0";
