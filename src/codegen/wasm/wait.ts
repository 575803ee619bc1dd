/** Phases of several threads: after each all wait for each other, at first awake. Loaded only where there are threads. */
import type { Step, Threads } from '../program.ts'
import { SYNC } from '../threads/protocol.ts'
import type { Code } from './assembler.ts'
import type { Op, ValueType } from './opcodes.ts'
import type { SizeTable } from './table.ts'

/** Source: WebAssembly threads proposal, "Atomic Memory Instructions"; aligned, without an offset. */
const atomic = (code: number, inputs: readonly ValueType[], before: readonly number[] = []): Op<'none'> => ({
  code: [...before, 0xfe, code, 2, 0],
  inputs,
  outputs: code === 0x17 ? [] : ['i32'],
  immediate: 'none',
  align: 2,
  lanes: 0,
})
const NOTIFY = atomic(0x00, ['i32', 'i32'])
/** Waits 1 ms at most: i64.const 1,000,000, in nanoseconds, comes before it. */
const WAIT = atomic(0x01, ['i32', 'i32'], [0x42, 0xc0, 0x84, 0x3d])
const LOAD = atomic(0x10, ['i32'])
const STORE = atomic(0x17, ['i32', 'i32'])
const ADD = atomic(0x1e, ['i32', 'i32'])

/** How often a thread looks before it sleeps. */
const LOOKS = 20_000

export function emitPhases(
  f: Code,
  table: SizeTable,
  { phases, isAlone }: Threads,
  emit: (steps: readonly Step[]) => void,
): void {
  const guard = table.size(isAlone)
  const [phase, looks] = [f.local('i32'), f.local('i32')]
  const at = (word: number) => f.i32.const(4 * word)
  const load = (word: number) => {
    at(word)
    f.emit('i32.atomic.load', LOAD, [])
  }
  f.block((end) => {
    for (const { alone, shared } of phases) {
      if (alone.length > 0) {
        table.push(f)
        f.i32.load(guard)
        f.if(() => emit(alone))
      }
      emit(shared)
      load(SYNC.phase)
      f.set(phase)
      at(SYNC.arrived)
      f.i32.const(1)
      f.emit('i32.atomic.rmw.add', ADD, [])
      f.i32.const(1)
      f.i32.add()
      load(SYNC.threads)
      f.i32.eq()
      f.if(
        () => {
          at(SYNC.arrived)
          f.i32.const(0)
          f.emit('i32.atomic.store', STORE, [])
          at(SYNC.phase)
          f.get(phase)
          f.i32.const(1)
          f.i32.add()
          f.emit('i32.atomic.store', STORE, [])
          at(SYNC.phase)
          f.i32.const(-1)
          f.emit('memory.atomic.notify', NOTIFY, [])
          f.drop()
        },
        () => {
          f.i32.const(0)
          f.set(looks)
          f.loop((again) => {
            load(SYNC.failed)
            f.brIf(end)
            f.get(looks)
            f.i32.const(1)
            f.i32.add()
            f.tee(looks)
            f.i32.const(LOOKS)
            f.i32.gtU()
            f.if(() => {
              at(SYNC.phase)
              f.get(phase)
              f.emit('memory.atomic.wait32', WAIT, [])
              f.drop()
            })
            load(SYNC.phase)
            f.get(phase)
            f.i32.eq()
            f.brIf(again)
          })
        },
      )
    }
  })
}
