/** A graph or node that is not compared, and why. */
export class NotTaken extends Error {}
