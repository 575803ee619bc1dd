/** From a program to C: one function a kernel, and `run`, which holds the loops over time and calls them. */
import {
  type Kernel,
  type LoopTerm,
  type Program,
  type Step,
  type Threads,
  type View,
  viewsOf,
} from '../program.ts'
import { SYNC } from '../threads/protocol.ts'
import { Functions, type KernelText } from './functions.ts'
import { Body, emitMap, emitReduce } from './kernels.ts'
import { emitMatmul, emitPack, emitRow } from './matmul.ts'
import { KernelSizes, Names } from './names.ts'
import { prelude } from './prelude.ts'
import { emitArgsort, emitFirsts, emitGather, emitScatterAdd, emitSetRows } from './rows.ts'

export interface EmittedC {
  readonly source: string
  readonly names: Names
  /** In the order of what a profile counts: nanoseconds of each, in words behind the table's addresses. */
  readonly kernels: readonly Kernel[]
}

const EMIT: { readonly [K in Kernel['kind']]: (body: Body, kernel: Extract<Kernel, { kind: K }>) => string } =
  {
    map: emitMap,
    reduce: emitReduce,
    pack: emitPack,
    matmul: emitMatmul,
    row: emitRow,
    gather: emitGather,
    argsort: emitArgsort,
    scatterAdd: emitScatterAdd,
    firsts: emitFirsts,
    setRows: emitSetRows,
  }

/** What kernels call, beside vectors. */
const HELPERS = `
#include <sched.h>
#if defined(__x86_64__) || defined(__i386__)
#define spin() __builtin_ia32_pause()
#else
#define spin() __asm__ __volatile__("" ::: "memory")
#endif
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t divided(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a ^ b) < 0); }
void recurra_tile(int64_t, int64_t, const f32 *, int64_t, int64_t, const f32 *, int64_t, f32 *, int64_t, const f32 *, int64_t, const f32 *, int64_t);
void recurra_wide(int64_t, int64_t, const f32 *, int64_t, const f32 *, f32 *, const f32 *, const f32 *);
void recurra_join(int64_t, int64_t, const f32 *, int64_t, int64_t, const f32 *, int64_t, const f32 *, int64_t, int64_t, const f32 *, f32 *, int64_t, const f32 *, int64_t);
void recurra_row(int64_t, int64_t, const f32 *, int64_t, const f32 *, int64_t, f32 *);
void recurra_pack(int64_t, int64_t, const f32 *, int64_t, int64_t, f32 *);
void recurra_sum(int64_t, int64_t, int64_t, const f32 *, int64_t, int64_t, const f32 *, int64_t, int64_t, f32 *, int64_t);
static int waitForAll(int32_t *sync) {
  enum { ARRIVED, PHASE, THREADS, FAILED };
  const int32_t phase = __atomic_load_n(sync + PHASE, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(sync + ARRIVED, 1, __ATOMIC_ACQ_REL) == sync[THREADS]) {
    sync[ARRIVED] = 0;
    __atomic_store_n(sync + PHASE, phase + 1, __ATOMIC_RELEASE);
  }
  for (int i = 0; __atomic_load_n(sync + PHASE, __ATOMIC_ACQUIRE) == phase; i++) {
    if (__atomic_load_n(sync + FAILED, __ATOMIC_RELAXED)) return 1;
    if (i > 1000) sched_yield();
    else spin();
  }
  return 0;
}
static void sortRows(int64_t rows, int64_t n, const f32 *from, i32 *work, i32 *into) {
  for (; rows > 0; rows--, from += n, into += n) {
    i32 *read = into, *write = work;
    for (int64_t i = 0; i < n; i++) into[i] = (int32_t)i;
    for (int64_t width = 1; width < n; width *= 2) {
      for (int64_t low = 0; low < n; low += 2 * width) {
        const int64_t middle = least(low + width, n), high = least(middle + width, n);
        for (int64_t at = low, i = low, j = middle; at < high; at++) {
          const float a = i < middle ? from[read[i]] : 0, b = j < high ? from[read[j]] : 0;
          const float x = a == a ? a : __builtin_inff(), y = b == b ? b : __builtin_inff();
          write[at] = j < high && (i >= middle || y < x) ? read[j++] : read[i++];
        }
      }
      i32 *swap = read;
      read = write, write = swap;
    }
    if (read != into) memcpy(into, read, 4 * n);
  }
}
`

const CLOCK = `
#include <time.h>
static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}
`

/** The C text of a program, for vectors of so many lanes; with a profile it counts the time of each kernel. */
export function emitC(program: Program, lanes: number, profile = false): EmittedC {
  const names = new Names()
  const functions = new Functions()
  const declare = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') declare(step.body)
      else functions.add(step.kernel, emitKernel(names, lanes, step.kernel))
    }
  }
  declare(program.steps)
  const { threads, steps, prepared = 0 } = program
  const { kernels } = functions
  const run = new Run(
    names,
    functions,
    profile ? new Map(kernels.map((kernel, i) => [kernel, i])) : undefined,
  )
  const parts = [
    ...(threads === undefined && prepared > 0 ? [['prepare', run.emit(steps.slice(0, prepared))]] : []),
    ['run', threads === undefined ? run.emit(steps.slice(prepared)) : emitPhases(names, run, threads)],
  ]
  const counts = `int64_t *ns = env + ${names.symbols.length + names.buffers.length};\n`
  // Written once all sizes and buffers have their numbers.
  const exported = parts.map(
    ([name, text]) =>
      `int ${name}(char *base, int64_t from) {\nint64_t *env = (int64_t *)(base + from);\nf32 *at[${names.buffers.length + 1}];\n` +
      `for (int i = 0; i < ${names.buffers.length}; i++) at[i] = (f32 *)(base + env[${names.symbols.length} + i]);\n` +
      `${profile ? counts : ''}${names.declare()}${text}return 0;\n}\n`,
  )
  return {
    source: `${prelude(lanes)}${HELPERS}${profile ? CLOCK : ''}${functions.text()}${exported.join('')}`,
    names,
    kernels,
  }
}

/** Between phases all threads wait for each other; where one has failed, the others end too. */
function emitPhases(names: Names, run: Run, { isAlone, phases, prepared }: Threads): string {
  const guard = names.size(isAlone)
  const texts = phases.map(({ alone, shared }) => {
    const one = alone.length === 0 ? '' : `if (${guard}) {\n${run.emit(alone)}}\n`
    return `${one}${run.emit(shared)}if (waitForAll((int32_t *)base)) return 1;\n`
  })
  const [first, rest] = [texts.slice(0, prepared), texts.slice(prepared)]
  const before = first.length === 0 ? '' : `if (!((int32_t *)base)[${SYNC.prepared}]) {\n${first.join('')}}\n`
  return before + rest.join('')
}

function emitKernel(names: Names, lanes: number, kernel: Kernel): KernelText {
  const views = viewsOf(kernel)
  const sizes = new KernelSizes(names)
  const body = new Body(sizes, lanes, new Map(views.map((view, i) => [view, `p${i}`])))
  const emit = EMIT[kernel.kind] as (body: Body, kernel: Kernel) => string
  const text = emit(body, kernel)
  return {
    views,
    body: `${sizes.declare()}${text}`,
    numbers: sizes.numbers,
  }
}

class Run {
  readonly #names: Names
  readonly #functions: Functions
  readonly #counted: ReadonlyMap<Kernel, number> | undefined

  /** @param counted where the time of each kernel is counted, if it is */
  constructor(names: Names, functions: Functions, counted: ReadonlyMap<Kernel, number> | undefined) {
    this.#names = names
    this.#functions = functions
    this.#counted = counted
  }

  emit(steps: readonly Step[]): string {
    return steps
      .map((step) => {
        if (step.kind === 'loop') return this.#loop(step)
        const { kernel } = step
        const call = this.#functions.call(kernel, (view) => this.#address(view))
        if (this.#counted === undefined) return call
        const ns = `ns[${this.#counted.get(kernel)}]`
        return `${ns} -= now();\n${call}${ns} += now();\n`
      })
      .join('')
  }

  /** `t` counts iterations, `r` the rows of the steps before this one in time. */
  #loop({ loop, body, until }: Extract<Step, { kind: 'loop' }>): string {
    const { id, rows, reverse } = loop
    const names = this.#names
    const [t, end] = [`t${id}`, names.size(loop.steps)]
    const head = `for (int64_t ${t} = 0; ${t} < ${end}; ${t}++) {\n`
    if (rows === undefined) {
      const ending =
        until === undefined
          ? ''
          : `int32_t all = (int32_t)((${t} ^ ${end}) & 1);\nfor (int64_t i = 0; i < ${names.size(until.elements)}; i++) all &= ((const i32 *)(${this.#address(until.view)}))[i];\nif (all) ${t} = ${end} - 1;\n`
      return `${head}${this.emit(body)}${ending}}\n`
    }
    const alive = names.symbol(rows.alive.terms[0]!.atoms[0]!.name)
    const time = this.#term({ loop, by: 'time', stride: rows.counts.strides[0]! })
    return (
      `int64_t r${id} = ${reverse ? names.size(rows.total) : '0'};\n${head}` +
      `${alive} = env[${alive.slice(1)}] = *(const i32 *)(${this.#address(rows.counts)}${time});\n` +
      `${reverse ? `r${id} -= ${alive};\n` : ''}${this.emit(body)}${reverse ? '' : `r${id} += ${alive};\n`}}\n`
    )
  }

  #address(view: View): string {
    return `${this.#names.start(view)}${view.terms.map((term) => this.#term(term)).join('')}`
  }

  #term({ loop, by, stride }: LoopTerm): string {
    const t = `t${loop.id}`
    const time = loop.reverse ? `(${this.#names.size(loop.steps)} - 1 - ${t})` : t
    const place = { time, parity: `(${t} & 1)`, nextParity: `(${t} & 1 ^ 1)`, rows: `r${loop.id}` }[by]
    return ` + ${place} * ${this.#names.size(stride)}`
  }
}
