/** Adam with Nesterov's momentum, for sources that train with it. */

/**
 * As Keras has it, with its default numbers; μ(t) = β₁ (1 − 0.5 · 0.96ᵗ), M(t) = μ(1) … μ(t):
 *
 *     m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²
 *     θ ← θ − η (μ(t + 1) m / (1 − M(t + 1)) + (1 − μ(t)) g / (1 − M(t))) / (√(v / (1 − β₂ᵗ)) + ε)
 *
 * Source: Dozat 2016.
 *
 * @param {{ learningRate?: number }} [options]
 * @returns {import('../dist/index.js').Optimizer}
 */
export function nadam({ learningRate = 1e-3 } = {}) {
  const [beta1, beta2, epsilon, decay] = [0.9, 0.999, 1e-7, 0.96]
  const momentum = (power) => power.mul(-0.5 * beta1).add(beta1)
  return {
    name: 'nadam',
    learningRate,
    slots: ['m', 'v'],
    scalars: { decayed: 1, momenta: 1, power2: 1 },
    advance: ({ decayed, momenta, power2 }) => {
      const next = decayed.mul(decay)
      return { decayed: next, momenta: momenta.mul(momentum(next)), power2: power2.mul(beta2) }
    },
    update: ({ param, gradient: g, slots, scalars: { decayed, momenta, power2 }, learningRate: rate }) => {
      const m = slots.m.mul(beta1).add(g.mul(1 - beta1))
      const v = slots.v.mul(beta2).add(g.square().mul(1 - beta2))
      const [now, then] = [momentum(decayed), momentum(decayed.mul(decay))]
      const ahead = m.mul(then).div(momenta.mul(then).neg().add(1))
      const mean = ahead.add(g.mul(now.neg().add(1)).div(momenta.neg().add(1)))
      const deviation = v.div(power2.neg().add(1)).sqrt().add(epsilon)
      return { param: param.sub(mean.div(deviation).mul(rate)), slots: { m, v } }
    },
  }
}
