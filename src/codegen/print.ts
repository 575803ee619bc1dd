/** A program as readable text, for snapshots and `explain`. */
import { ONE, printShape, type Size, ZERO } from '../tensor/size.ts'
import type { Expr, Kernel, LoopTerm, Program, Step, View } from './program.ts'

export function printProgram(program: Program): string {
  const slots = (all: Program['inputs']) =>
    all.map(({ name, shape, dtype, view }) => `${nameOf(view)} = ${name}: ${dtype}${printShape(shape)}`)
  const aliases = [...program.aliases].map(([from, to]) => `b${from.id} stands in the place of b${to.id}`)
  return [
    ...slots(program.inputs).map((line) => `in  ${line}`),
    ...slots(program.outputs).map((line) => `out ${line}`),
    ...aliases,
    ...printSteps(program.steps, ''),
  ].join('\n')
}

function printSteps(steps: readonly Step[], indent: string): string[] {
  return steps.flatMap((step) => {
    if (step.kind === 'call') return printKernel(step.kernel).map((line) => indent + line)
    const { id, steps: count, reverse, rows } = step.loop
    const alive = rows === undefined ? '' : `, ${rows.alive.key} = ${printView(rows.counts)} at t${id}`
    const until = step.until === undefined ? '' : `, until all of ${printView(step.until.view)}`
    const head = `${indent}for t${id} ${reverse ? 'down from' : 'up to'} ${count.key}${alive}${until} {`
    return [head, ...printSteps(step.body, `${indent}  `), `${indent}}`]
  })
}

function printKernel(kernel: Kernel): string[] {
  switch (kernel.kind) {
    case 'map':
      return [
        `map ${printShape(kernel.shape)}`,
        ...kernel.stores.map(({ view, expr }) => `  ${printView(view)} = ${printExpr(expr)}`),
      ]
    case 'reduce':
      return [
        `reduce ${kernel.fn} ${printShape(kernel.shape)} over ${kernel.axes.join(', ')}`,
        `  ${printView(kernel.into)} = ${printExpr(kernel.expr)}`,
      ]
    case 'pack':
      return [`pack [${kernel.k.key}, ${kernel.n.key}] ${printView(kernel.into)} = ${printView(kernel.from)}`]
    case 'matmul':
    case 'row': {
      const rows = kernel.kind === 'row' ? '' : `${kernel.m.key} × `
      const b = `${kernel.kind === 'row' ? 'blocks ' : kernel.packed ? 'panels ' : ''}${printView(kernel.b)}`
      return [
        `${kernel.kind} ${rows}${kernel.n.key} × ${kernel.k.key}`,
        `  ${printView(kernel.into)} = ${printExpr(kernel.epilogue)} where product = ${printView(kernel.a)} · ${b}${kernel.kind === 'row' ? '' : printJoined(kernel)}`,
      ]
    }
    case 'gather':
      return [
        `gather ${kernel.n.key} rows of ${kernel.d.key} ${printView(kernel.into)} = ${printView(kernel.table)} at ${printView(kernel.indices)}`,
      ]
    case 'argsort':
      return [
        `argsort ${kernel.rows.key} rows of ${kernel.n.key} ${printView(kernel.into)} = ${printView(kernel.from)}`,
      ]
    case 'scatterAdd':
      return [
        `scatter-add ${kernel.n.key} rows of ${kernel.d.key} ${printView(kernel.into)} += ${printView(kernel.from)} at ${printView(kernel.indices)}`,
      ]
    case 'firsts':
      return [
        `firsts of ${kernel.n.key} indices into ${kernel.v.key} rows ${printView(kernel.into)} = ${printView(kernel.from)}`,
      ]
    case 'setRows':
      return [
        `set ${kernel.n.key} rows of ${kernel.d.key} ${printView(kernel.into)} = ${printView(kernel.from)} at ${printView(kernel.indices)}`,
      ]
  }
}

function printJoined({ plus, unless }: Extract<Kernel, { kind: 'matmul' }>): string {
  if (plus === undefined) return unless === undefined ? '' : ` unless ${unless.key}`
  const { here, k, a, b, made } = plus
  return ` + (${here.key} ? ${printView(a)} · panels ${printView(b)} over ${k.key} : ${printView(made)})`
}

function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'load':
      return printView(expr.view)
    case 'constant':
      return String(expr.value)
    case 'size':
      return expr.size.key
    case 'index':
      return `index ${expr.axis}`
    case 'product':
      return 'product'
    case 'apply':
      return `${expr.fn}(${expr.args.map(printExpr).join(', ')})`
  }
}

function nameOf({ buffer }: View): string {
  return `b${buffer.id}`
}

/** b3[offset + t0·stride; strides] */
function printView(view: View): string {
  const terms = view.terms.map(printTerm)
  const start = [...(view.offset === ZERO ? [] : [view.offset.key]), ...terms].join(' + ')
  const strides = view.strides.map((size) => size.key).join(', ')
  return `${nameOf(view)}[${start === '' ? '' : `${start}; `}${strides}]`
}

function printTerm({ loop, by, stride }: LoopTerm): string {
  const index = {
    time: `t${loop.id}`,
    parity: `parity(t${loop.id})`,
    nextParity: `parity(t${loop.id}+1)`,
    rows: `rows before t${loop.id}`,
  }[by]
  return stride === ONE ? index : `${index}·${printSize(stride)}`
}

function printSize(size: Size): string {
  return size.terms.length > 1 ? `(${size.key})` : size.key
}
