/** Loads what was built, through koffi. */
import { NativeUnavailable, requireOptional } from './build.ts'

/** Runs a program over an arena, by the table that stands so many bytes from its start; 1 where another thread failed. */
export type NativeRun = (arena: Float32Array, table: number) => number

/** What is used of koffi. */
interface Koffi {
  load(file: string): { func(declaration: string): unknown }
}

/** @throws {NativeUnavailable} without koffi, and for a file that holds no program of this machine */
export function loadRun(file: string, name: 'run' | 'prepare' = 'run'): NativeRun {
  const koffi = requireOptional('koffi') as Koffi
  try {
    return koffi.load(file).func(`int ${name}(void *base, int64_t from)`) as NativeRun
  } catch (error) {
    throw new NativeUnavailable(`${file} cannot be loaded: ${error instanceof Error ? error.message : error}`)
  }
}
