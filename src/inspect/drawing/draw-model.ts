/** A model as a picture. */
import { type Model, requireModel } from '../../layers/model.ts'
import { SOLE_OUTPUT } from '../../layers/parts.ts'
import { requireChoice, requireFlag, requireInteger, requireKnown } from '../../tensor/checks.ts'
import { ArgumentError } from '../../tensor/errors.ts'
import type { GradientFlow } from '../gradient-flow.ts'
import { anatomyOf, fullName, type Part } from './anatomy.ts'
import { backsOf } from './gradients.ts'
import { layoutOf } from './layout.ts'
import { svgOf } from './svg.ts'
import { sheetOf } from './unfold.ts'

export interface DrawModelOptions {
  /** Unfolds time into that many steps. Default: as many as `flow` has, or folded: one column, and loops by way of z⁻¹. */
  readonly steps?: number | undefined
  /**
   * What stands at arrows: the states that go along them, or the weights by which what they carry is multiplied (states
   * where there are none). Default: states.
   */
  readonly labels?: 'states' | 'weights'
  /** The loss above each output, with its target. Default: false. */
  readonly loss?: boolean
  /**
   * What `gradientFlow` gave: along each state's arrow one back, as wide as ‖∂L/∂s(t)‖ is large on a logarithmic scale of
   * six decades, with its number; dotted where none comes.
   */
  readonly flow?: Pick<GradientFlow, 'states'> | undefined
  /** The name of the picture, which is read aloud. Default: the layers' names. */
  readonly title?: string | undefined
}

/**
 * A model as an SVG picture, as textbooks draw it (Goodfellow et al. 2016, chapter 10): inputs red, hidden layers green,
 * outputs blue; what a box reads comes from below, states go sideways. Folded, or through time:
 *
 *     drawModel(net) // h(t), with a loop by way of z⁻¹
 *     drawModel(net, { steps: 4 }) // h(0) → h(1) → … → h(4)
 *     drawModel(net, { steps: 4, labels: 'weights', loss: true }) // U, W and V at the arrows, L(t) above o(t)
 *
 * It is drawn from the model as it runs, traced: an arrow from step to step stands where a step reads that state, one from
 * the output where a cell feeds its output back (`jordan`), one from another layer where that gives the first state. Every
 * time of the inputs has `steps` steps, what repeatVector makes has its own number, a convolution as many as it makes of
 * them; steps that a layer reads all together (attention, global pooling) are joined by one line. Weights, of a layer
 * called again the same ones, bear the parameters' names.
 *
 * The picture is as wide as its steps need: 12 of an LSTM are about 2,000 pixels, more are for scrolling. Names that are
 * wider than a box end in …, and are whole where a pointer rests on the box. The same model and options give the same text.
 *
 * @throws {ArgumentError} for a model that does not know its input yet, options outside their range, too few steps for a
 * convolution, more than 1,000, and a flow of another model or another number of steps
 */
export function drawModel(model: Model, options: DrawModelOptions = {}): string {
  requireModel('drawModel', model)
  requireKnown('drawModel', options, ['steps', 'labels', 'loss', 'flow', 'title'])
  const { labels = 'states', loss = false, flow } = options
  requireChoice('drawModel', 'labels', labels, ['states', 'weights'])
  requireFlag('drawModel', 'loss', loss)
  const backs = flow === undefined ? undefined : backsOf(model, flow)
  const { steps = backs?.steps } = options
  if (steps !== undefined) requireInteger('drawModel', 'steps', steps, 1)
  if (options.title !== undefined && typeof options.title !== 'string') {
    throw new ArgumentError(`drawModel: title must be a text; received ${typeof options.title}`)
  }
  const parts = anatomyOf(model)
  const sheet = sheetOf(model, parts, { steps, labels, loss, backs })
  const names = model.calls.map(({ name }) => name).join(', ')
  return svgOf(layoutOf(sheet), {
    title: options.title ?? names,
    description: described(model, parts, steps),
  })
}

/** The picture in words. */
function described(model: Model, parts: readonly Part[], steps: number | undefined): string {
  const layers = parts.map(({ call, recurrences }) => {
    const carried = recurrences.flatMap(({ part, states, reverse }) =>
      states
        .filter(({ isRead }) => isRead)
        .map(({ name, isFed }) => {
          const what = isFed ? `its output ${name}` : fullName(part, name)
          return `${what} goes to the ${reverse ? 'step before' : 'next step'}`
        }),
    )
    return carried.length === 0 ? call.name : `${call.name} (${carried.join(', ')})`
  })
  const time = steps === undefined ? '' : ` Time is unfolded, ${steps === 1 ? '1 step' : `${steps} steps`}.`
  const outputs = [...model.outputs.keys()].map((name) => (name === SOLE_OUTPUT ? 'o' : name))
  return (
    `From below: inputs ${[...model.built.inputs.keys()].join(', ')}; layers ${layers.join(', ')}; ` +
    `outputs ${outputs.join(', ')}.${time}`
  )
}
