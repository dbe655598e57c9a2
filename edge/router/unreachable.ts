// What a link throws when a request has certainly not run: the place cannot be reached. Any other error leaves open whether
// it has run.

export class Unreachable extends Error {}
