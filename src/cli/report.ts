/** What training says before and after, alike in a terminal and elsewhere. */
import { basename, relative } from 'node:path'
import type { BackendEvent, EndEvent, SavedEvent, StartEvent, TextEvent } from '../tasks/text.ts'
import { EMBEDDING } from '../tasks/text-model.ts'

/** Takes the events of a training run as they come. */
export interface Reporter {
  on(event: TextEvent): void
  /** The run was asked to stop and will after the step under way. */
  stopping(): void
  /** Leaves the terminal as it was found. */
  close(): void
}

export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** 75 → 1:15 */
export function clockTime(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const tail = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** What runs the steps. */
export function backendLine({ backend }: BackendEvent): string {
  return `steps run ${backend === 'native' ? 'as native code' : 'as WebAssembly'}`
}

export function startLines({ documents, characters, vocabulary, parameters, options }: StartEvent): string[] {
  const { until, units, batch, steps, out } = options
  const few = documents.length > 3 ? `${documents.length} texts` : documents.join(', ')
  const long = 'seconds' in until ? counted(until.seconds, 'second') : counted(until.epochs, 'epoch')
  return [
    `${few}: ${grouped(characters)} characters, ${vocabulary} different; the last 10% of each text is held out`,
    `embedding ${EMBEDDING} → LSTM ${units} → ${vocabulary} characters: ${grouped(parameters)} parameters`,
    `${long} in batches of ${batch} rows, ${steps} steps; saves to ${out}`,
  ]
}

export function resultLines(end: EndEvent, saved: SavedEvent, start: StartEvent): string[] {
  const better = end.ngramBits - end.bits
  return [
    `held out: ${end.bits.toFixed(3)} bits per character, over ${grouped(end.heldOut)} characters`,
    `n-gram:   ${end.ngramBits.toFixed(3)} (Witten–Bell, ${end.ngramOrder} preceding characters): ` +
      `${Math.abs(better).toFixed(3)} ${better > 0 ? 'worse' : 'better'} than the model`,
    `model:    ${saved.path} (${grouped(saved.bytes / 1000)} kB, ${grouped(start.parameters)} parameters)`,
  ]
}

/** What to try next, as commands for a shell. `files` are those that were trained on. */
export function nextLines(saved: SavedEvent, start: StartEvent, files: readonly string[]): string[] {
  const { until } = start.options
  const longer = 'seconds' in until ? `--seconds ${5 * until.seconds}` : `--epochs ${5 * until.epochs}`
  const command = commandName()
  return [
    `${command} generate ${quoted(saved.path)} --prompt ${quoted(start.firstWord)} --temperature 0.8`,
    [command, 'train', ...files.map(quoted), longer].join(' '),
    `${command} train ${files.length > 0 ? 'another' : 'your-own'}-text.txt`,
  ]
}

/** How this program was called: a clone has no `recurra` on the path. */
function commandName(): string {
  const script = process.argv[1] ?? ''
  return basename(script) === 'main.js' && !script.includes('node_modules')
    ? `node ${quoted(relative(process.cwd(), script))}`
    : 'recurra'
}

function quoted(word: string): string {
  return /^[\w./:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
