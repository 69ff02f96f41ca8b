/** The name every record and message carries. */
export const TOOL = "trapring";

/** Version of the tool, in every record. */
export const VERSION = "0.1.0";
