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

/** Frames that are looked through for the caller's line. */
const DEPTH = 100

/** An error of the caller's: where it can be told, the message ends with the caller's line. */
abstract class CallError extends RecurraError {
  constructor(code: string, message: string) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = DEPTH
    super(code, message)
    Error.stackTraceLimit = limit
    const line = callerLine(this.stack)
    if (line !== undefined) this.message = `${message} (at ${line})`
  }
}

/** Shapes or ranks that do not fit; the message names both. */
export class ShapeError extends CallError {
  constructor(message: string) {
    super('shape', message)
  }
}

/** An argument outside its range, of the wrong type, or an unknown option. */
export class ArgumentError extends CallError {
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

/** The innermost stack frame outside this library; undefined where all code is bundled into one file. */
function callerLine(stack: string | undefined): string | undefined {
  const library = new URL('..', import.meta.url)
  const isOurs = (frame: string) => frame.includes(library.href) || frame.includes(library.pathname)
  const places = (stack ?? '')
    .split('\n')
    .filter((frame) => /:\d+:\d+\)?$/.test(frame) && !frame.includes('node:internal'))
  if (!places.some(isOurs)) return undefined
  const caller = places.find((frame) => !isOurs(frame))
  return caller?.match(/[^\s(@]+:\d+:\d+(?=\)?$)/)?.[0]
}
