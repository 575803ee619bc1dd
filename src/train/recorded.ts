/** On which backend a training runs: its state says so, since another one gives other bits. */
import type { Backend } from '../codegen/compile.ts'
import type { Executable } from '../codegen/executable.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { counterIn, type TrainingState } from './state.ts'

/** In states a backend is its place here. */
export const RECORDED: readonly Executable['backend'][] = ['wasm', 'native', 'interpret']

interface Resumed {
  readonly backend?: Backend | undefined
  readonly resume?: TrainingState | undefined
}

/** The backend to take: the one asked for, or the one that the state was made on. */
export function askedFor({ backend = 'auto', resume }: Resumed): Backend | undefined {
  return backend === 'auto' && resume !== undefined
    ? RECORDED[counterIn(resume, 'training backend')]
    : backend
}

/** @throws {ArgumentError} where a state was made on a backend that this machine has not, and no other was asked for */
export function requireRecorded(options: Resumed, got: Executable['backend']): void {
  if ((options.backend ?? 'auto') !== 'auto' || options.resume === undefined || askedFor(options) === got)
    return
  throw new ArgumentError(
    `resume: the training ran on the backend ${askedFor(options)}, which this machine does not have; ` +
      `give backend: '${got}' to go on with other bits`,
  )
}
