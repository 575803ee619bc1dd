/**
 * Every error that Recurra throws on purpose. A message says what was expected, what was received
 * and what to do; `code` is stable, for programs.
 */
export class RecurraError extends Error {
  /** A stable name for programs, for example `shape` or `file-truncated`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** Shapes or ranks that do not fit; the message names both. */
export class ShapeError extends RecurraError {
  constructor(message: string) {
    super('shape', message)
  }
}

/** An argument outside its range, of the wrong type, or an unknown option. */
export class ArgumentError extends RecurraError {
  constructor(message: string) {
    super('argument', message)
  }
}

/** Data that cannot be trained on: empty, binary, too short, outside the vocabulary. */
export class DataError extends RecurraError {
  constructor(message: string) {
    super('data', message)
  }
}

/** A file that is not what its format says: truncated, altered, hostile. Nothing of it was used. */
export class FormatError extends RecurraError {
  constructor(message: string, options?: ErrorOptions) {
    super('format', message, options)
  }
}
