/* The exact engine in the browser: functions of `ttfslib` under their own names, in plain JavaScript.

   One neuron (`ttfslib.lif`), layers on typed arrays (`ttfslib.nn`, the walk of `ttfslib.engines`),
   loss, optimizer and remedy. Times are in units of tau_s, a silent neuron spikes at Infinity, and
   an array of shape (n_samples, n_neurons) lies in one typed array, row by row. The precision of a
   layer is that of its weights: Float32Array or Float64Array.

   All of it is one function, so that a page can hand its text to a worker without fetching a file. */
function define_ttfslib(scope) {
"use strict";

const { exp, expm1, log, log1p, sqrt, abs, min, max } = Math;
const DEFAULT = Object.freeze({ tau_m: 1, tau_s: 1, threshold: 1 });

/* ---- What one input does to the potential -------------------------------------------------- */

/* (exp(x) - 1) / x and log(1 + x) / x, continued to 1 at x = 0. */
const exprel = (x) => (x !== 0 ? expm1(x) / x : 1);
const log1prel = (x) => (x !== 0 ? log1p(x) / x : 1);

/* Postsynaptic potential of a unit weight, in the form that needs no case for any tau ratio. */
function psp(delay, { tau_m, tau_s } = DEFAULT) {
  const s = max(delay, 0);
  const rate_gap = abs(1 / tau_s - 1 / tau_m);
  return (s / tau_s) * exp(-s / max(tau_m, tau_s)) * exprel(-s * rate_gap);
}

function psp_slope(delay, params = DEFAULT) {
  if (!(delay > 0)) return 0;
  return exp(-delay / params.tau_s) / params.tau_s - psp(delay, params) / params.tau_m;
}

function membrane_potential(time, spike_times, weights, params = DEFAULT) {
  let potential = 0;
  for (let i = 0; i < weights.length; i += 1) {
    if (spike_times[i] < time) potential += weights[i] * psp(time - spike_times[i], params);
  }
  return potential;
}

/* ---- When the potential reaches the threshold if no further input comes --------------------- */

/* Principal branch of Lambert's W for z >= -1/e, by Halley's method. */
function lambertw(z) {
  const square = 2 * (Math.E * z + 1);
  if (square <= 0) return -1;
  const p = sqrt(square);
  let w = z < 0 ? -1 + p - (p * p) / 3 + (11 / 72) * p * p * p : log1p(z);
  for (let i = 0; i < 20; i += 1) {
    const power = exp(w), miss = w * power - z;
    const step = miss / (power * (w + 1) - ((w + 2) * miss) / (2 * w + 2));
    if (!Number.isFinite(step)) break;
    w -= step;
    if (abs(step) <= 4e-16 * abs(w)) break;
  }
  return w;
}

/* Delay until V reaches the threshold from the state (V, I); Infinity if it never does. */
function crossing_delay(potential, current, params = DEFAULT) {
  const { tau_m, tau_s, threshold } = params;
  if (potential >= threshold) return 0;
  const rising = current / tau_s > potential / tau_m;
  // All the charge still to come, without leak, is `current`: it must fill the gap.
  if (!rising || current <= threshold - max(potential, 0)) return Infinity;
  if (tau_m === tau_s) return crossing_equal(potential, current, params);
  if (tau_m === 2 * tau_s) return crossing_double(potential, current, params);
  if (tau_s / tau_m === 0) return crossing_non_leaky(potential, current, params);
  return crossing_any(potential, current, params);
}

/* Delay until the maximum of V from a rising state; Infinity where V keeps rising. */
function peak_delay(potential, current, { tau_m, tau_s } = DEFAULT) {
  const speed = tau_s / tau_m, mismatch = 1 - speed, ratio = potential / current;
  if (speed === 0 || ratio * mismatch <= -1) return Infinity;
  const own = mismatch !== 0 ? -log(speed) / mismatch : 1;
  return tau_s * (own - ratio * log1prel(ratio * mismatch));
}

/* tau_m = tau_s: Lambert's W, in terms of the distance from the peak, where no digits cancel. */
function crossing_equal(potential, current, { tau_s, threshold }) {
  const ratio = potential / current;
  const excess = log(current / threshold) - (1 - ratio);
  return excess < 0 ? Infinity : max(tau_s * (1 - ratio - time_before_peak(excess)), 0);
}

/* x = 1 + W(-exp(-1 - excess)); towards the branch point the series in p keeps the digits. */
function time_before_peak(excess) {
  const p = sqrt(-2 * expm1(-excess));
  if (p < 1e-4) return p - (p * p) / 3 + (11 / 72) * p * p * p;
  const x = 1 + lambertw(-exp(-1 - excess));
  return x < 0.5 ? x - ((x + log1p(-x) + excess) * (x - 1)) / x : x;
}

/* tau_m = 2 tau_s: a quadratic in exp(-s / tau_m), whose larger root is earlier. */
function crossing_double(potential, current, { tau_m, threshold }) {
  const half = 1 + potential / current / 2;
  const discriminant = half * half - (2 * threshold) / current;
  if (half <= 0 || discriminant < 0) return Infinity;
  return max(-tau_m * log((half + sqrt(discriminant)) / 2), 0);
}

/* tau_m infinite: V + I (1 - exp(-s / tau_s)) = threshold, exact in the surplus of charge. */
function crossing_non_leaky(potential, current, { tau_s, threshold }) {
  const gap = threshold - potential, surplus = current - gap;
  return surplus > 0 ? tau_s * log1p(gap / surplus) : Infinity;
}

/* Any ratio: Newton on the rising flank, where V is concave, with bisection as its guard. */
function crossing_any(potential, current, params) {
  const { tau_m, tau_s, threshold } = params;
  const above = (s) => potential * exp(-s / tau_m) + current * psp(s, params) - threshold;
  let low = 0, high = peak_delay(potential, current, params);
  if (high === Infinity || above(high) < 0) return Infinity;
  let s = 0, value = potential - threshold;
  for (let i = 0; i < 200; i += 1) {
    const slope = (current * exp(-s / tau_s)) / tau_s - (value + threshold) / tau_m;
    let next = s - value / slope;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (abs(next - s) <= 4e-16 * s || next === low || next === high) return next;
    s = next;
    value = above(s);
    if (value < 0) low = s;
    else high = s;
  }
  return s;
}

/* ---- One neuron ------------------------------------------------------------------------------ */

/* First time at which V reaches the threshold, from one input to the next; inputs at one time are
   one event, and a spike at the very time of an input does not see it. */
function first_spike_time(spike_times, weights, params = DEFAULT) {
  const arrivals = [...new Set(spike_times)].filter(Number.isFinite).sort((x, y) => x - y);
  for (let e = 0; e < arrivals.length; e += 1) {
    const now = arrivals[e], following = e + 1 < arrivals.length ? arrivals[e + 1] : Infinity;
    let potential = 0, current = 0;
    for (let i = 0; i < weights.length; i += 1) {
      if (!(spike_times[i] <= now)) continue;
      potential += weights[i] * psp(now - spike_times[i], params);
      current += weights[i] * exp(-(now - spike_times[i]) / params.tau_s);
    }
    const spike = now + crossing_delay(potential, current, params);
    if (spike <= following) return spike;
  }
  return Infinity;
}

/* Indices of the inputs that arrive before the first spike. */
function causal_set(spike_times, weights, params = DEFAULT) {
  const spike = first_spike_time(spike_times, weights, params);
  const indices = [...spike_times.keys()];
  return spike === Infinity ? [] : indices.filter((i) => spike_times[i] < spike);
}

/* Exact derivatives of the first spike time by weights and by input times. */
function spike_time_gradient(spike_times, weights, params = DEFAULT) {
  const spike = first_spike_time(spike_times, weights, params);
  const pull = [], response = [];
  let slope = 0;
  for (let i = 0; i < weights.length; i += 1) {
    const delay = spike < Infinity && spike_times[i] < spike ? spike - spike_times[i] : 0;
    pull.push(weights[i] * psp_slope(delay, params));
    response.push(-psp(delay, params));
    slope += pull[i];
  }
  const ratio = (value) => (value === 0 ? 0 : value / max(slope, 0));
  return { d_weights: response.map(ratio), d_spike_times: pull.map(ratio) };
}

/* ---- A layer: the event walk ------------------------------------------------------------------ */

/* How (V, I) moves without input: V -> aV + bI, I -> cI; written to `target` from `place` on. */
function propagator(delay, { tau_m, tau_s }, target, place) {
  const a = exp(-delay / tau_m), c = tau_m === tau_s ? a : exp(-delay / tau_s);
  const rate_gap = abs(1 / tau_s - 1 / tau_m);
  target[place] = a;
  target[place + 1] = (delay / tau_s) * max(a, c) * exprel(-delay * rate_gap);
  target[place + 2] = c;
}

/* One sample's spikes in rising order, and the neurons they belong to: a stable insertion sort. */
function sort_events(times, from, n, rising, order) {
  for (let i = 0; i < n; i += 1) {
    const time = times[from + i];
    let k = i;
    for (; k > 0 && rising[from + k - 1] > time; k -= 1) {
      rising[from + k] = rising[from + k - 1];
      order[from + k] = order[from + k - 1];
    }
    rising[from + k] = time;
    order[from + k] = i;
  }
}

/* First spikes of a layer, and what led to each: all that `first_spikes_backward` needs. */
function first_spikes(times, weights, n_pre, params = DEFAULT) {
  const n_post = weights.length / n_pre, n_samples = times.length / n_pre;
  const { tau_m, tau_s, threshold } = params, Floats = weights.constructor;
  const rising = new Floats(times.length), order = new Int32Array(times.length);
  const steps = new Floats(3 * times.length);
  const spikes = new Floats(n_samples * n_post).fill(Infinity);
  const slopes = new Floats(n_samples * n_post);
  const causes = new Int32Array(n_samples * n_post).fill(-1);
  const potential = new Floats(n_post), current = new Floats(n_post);
  const waiting = new Int32Array(n_post); // who has not fired, in the first n_waiting places
  for (let s = 0; s < n_samples; s += 1) {
    const from = s * n_pre, to = s * n_post;
    sort_events(times, from, n_pre, rising, order);
    potential.fill(0);
    current.fill(0);
    let n_waiting = n_post;
    for (let j = 0; j < n_post; j += 1) waiting[j] = j;
    for (let e = 0; e < n_pre && n_waiting && rising[from + e] < Infinity; e += 1) {
      const now = rising[from + e], row = order[from + e] * n_post;
      const following = e + 1 < n_pre ? rising[from + e + 1] : Infinity;
      const at = 3 * (from + e), endless = following === Infinity;
      if (!endless) propagator(following - now, params, steps, at);
      const a = steps[at], b = steps[at + 1], c = steps[at + 2];
      for (let k = 0; k < n_waiting; k += 1) {
        const j = waiting[k], v = potential[j];
        current[j] += weights[row + j];
        const i = current[j], ahead = a * v + b * i;
        potential[j] = ahead;
        current[j] = c * i;
        // Cheap tests that exclude a crossing: too little charge, or still rising below threshold.
        if (!(v >= threshold || i > threshold - max(v, 0))) continue;
        if (!endless && ahead < threshold && (c * i) / tau_s > ahead / tau_m) continue;
        let delay = crossing_delay(v, i, params);
        if (delay > following - now || delay === Infinity) {
          // Rounding may hide a crossing just before the next input: V there still tells of it.
          if (endless || ahead < threshold) continue;
          delay = following - now;
        }
        spikes[to + j] = min(now + delay, following);
        slopes[to + j] = max((i * exp(-delay / tau_s)) / tau_s - threshold / tau_m, 0);
        let cause = e;
        while (cause >= 0 && rising[from + cause] >= spikes[to + j]) cause -= 1;
        causes[to + j] = cause;
        n_waiting -= 1;
        waiting[k] = waiting[n_waiting];
        k -= 1;
      }
    }
  }
  return { spikes, slopes, causes, rising, order, steps, weights, n_pre, n_post, params };
}

/* Gradients of a loss by weights and by input times, from `d_spikes`, that by the spikes. */
function first_spikes_backward(pass, d_spikes) {
  const { spikes, slopes, causes, rising, order, steps, weights, n_pre, n_post, params } = pass;
  const { tau_m, tau_s } = params, n_samples = rising.length / n_pre;
  const d_weights = new Float64Array(weights.length), d_times = new Float64Array(rising.length);
  const replies = new Float64Array(n_post), rests = new Float64Array(n_post);
  const response = new Float64Array(n_post), decayed = new Float64Array(n_post);
  const first = new Int32Array(n_pre), next = new Int32Array(n_post); // who starts at an event
  const move = new Float64Array(3);
  for (let s = 0; s < n_samples; s += 1) {
    const from = s * n_pre, to = s * n_post;
    let latest = -1;
    first.fill(-1);
    response.fill(0);
    decayed.fill(0);
    for (let j = 0; j < n_post; j += 1) {
      const e = causes[to + j], slope = slopes[to + j], d_spike = d_spikes[to + j];
      if (e < 0 || !(slope > 0) || d_spike === 0) continue;
      propagator(spikes[to + j] - rising[from + e], params, move, 0);
      replies[j] = (d_spike / slope) * move[1];
      rests[j] = (d_spike / slope) * move[2];
      next[j] = first[e];
      first[e] = j;
      latest = max(latest, e);
    }
    for (let e = latest; e >= 0; e -= 1) {
      const row = order[from + e] * n_post, at = 3 * (from + e);
      const a = steps[at], b = steps[at + 1], c = steps[at + 2];
      // The state of who has started goes back by one interval.
      let by_time = 0;
      for (let j = 0; j < n_post; j += 1) {
        const rest = decayed[j];
        response[j] = a * response[j] + b * rest;
        decayed[j] = c * rest;
      }
      for (let j = first[e]; j >= 0; j = next[j]) {
        response[j] = replies[j];
        decayed[j] = rests[j];
      }
      for (let j = 0; j < n_post; j += 1) {
        d_weights[row + j] -= response[j];
        by_time += weights[row + j] * (decayed[j] / tau_s - response[j] / tau_m);
      }
      d_times[from + order[from + e]] = by_time;
    }
  }
  return { d_weights, d_times };
}

/* Lesion a layer, in place: take away the spikes of some of its neurons. */
function silence(times, n_neurons, neurons) {
  for (const j of neurons) for (let k = j; k < times.length; k += n_neurons) times[k] = Infinity;
}

/* ---- Networks --------------------------------------------------------------------------------- */

class TTFSNetwork {
  /* `weights` is a list of arrays, (n_pre, n_post) row by row. Under Dale's law the first neurons of
     each hidden layer, `excitatory_share` of them, excite and the others inhibit. */
  constructor(sizes, weights, { params = DEFAULT, excitatory_share = null } = {}) {
    if (weights.length !== sizes.length - 1 || weights.some((w, i) => w.length !== sizes[i] * sizes[i + 1])) {
      throw new RangeError(`weights must have the shapes of sizes ${sizes}, got lengths ${weights.map((w) => w.length)}`);
    }
    Object.assign(this, { sizes, weights, params, excitatory_share });
    this.obey_dale();
  }

  /* Spike times of each layer after the input; `passes` keeps what the way back needs. Neurons of
     the hidden layers that are in `silenced`, a list of indices for each, lose their spikes. */
  forward(times, silenced = []) {
    this.passes = [];
    return this.weights.map((weights, i) => {
      this.passes.push(first_spikes(times, weights, this.sizes[i], this.params));
      times = this.passes[i].spikes;
      silence(times, this.sizes[i + 1], silenced[i] || []);
      return times;
    });
  }

  /* Gradients of a loss by the weights and by the inputs of each layer, from that by the outputs. */
  backward(d_outputs) {
    const d_weights = [], d_times = [];
    this.passes.reduceRight((d_spikes, pass) => {
      const found = first_spikes_backward(pass, d_spikes);
      d_weights.unshift(found.d_weights);
      d_times.unshift(found.d_times);
      return found.d_times;
    }, d_outputs);
    return { d_weights, d_times };
  }

  /* Clip, in place, every weight whose sign is not that of its input neuron to zero. */
  obey_dale() {
    if (this.excitatory_share === null) return;
    for (let i = 1; i < this.weights.length; i += 1) this.obey_dale_in(i);
  }

  obey_dale_in(i) {
    if (this.excitatory_share === null || i === 0) return;
    const weights = this.weights[i], n_post = this.sizes[i + 1];
    const boundary = Math.round(this.excitatory_share * this.sizes[i]) * n_post;
    for (let k = 0; k < boundary; k += 1) if (weights[k] < 0) weights[k] = 0;
    for (let k = boundary; k < weights.length; k += 1) if (weights[k] > 0) weights[k] = 0;
  }
}

/* torch.optim.Adam with its defaults. */
class Adam {
  constructor(parameters) {
    this.parameters = parameters;
    this.n_steps = 0;
    this.exp_avg = parameters.map((p) => new p.constructor(p.length));
    this.exp_avg_sq = parameters.map((p) => new p.constructor(p.length));
  }

  step(gradients, learning_rate) {
    this.n_steps += 1;
    const rate = learning_rate / (1 - 0.9 ** this.n_steps), scale = sqrt(1 - 0.999 ** this.n_steps);
    this.parameters.forEach((values, i) => {
      const mean = this.exp_avg[i], square = this.exp_avg_sq[i], gradient = gradients[i];
      for (let k = 0; k < values.length; k += 1) {
        mean[k] += 0.1 * (gradient[k] - mean[k]);
        square[k] = 0.999 * square[k] + 0.001 * gradient[k] * gradient[k];
        values[k] -= (rate * mean[k]) / (sqrt(square[k]) / scale + 1e-8);
      }
    });
  }
}

/* Raises the weights into neurons that stay silent, which no gradient can bring back. */
class SilentNeuronRemedy {
  constructor(network, { hidden_share = 0.15, output_share = 0.05, step = 0.0005, largest_step = 0.1 } = {}) {
    const n_layers = network.weights.length;
    this.tolerated = Array(n_layers).fill(hidden_share);
    this.tolerated[n_layers - 1] = output_share;
    Object.assign(this, { network, step, largest_step, times_in_a_row: Array(n_layers).fill(0) });
  }

  /* Help the layers in need, given each layer's spike times; return their indices. */
  help(layers) {
    return layers.flatMap((times, i) => (this.help_layer(i, times) ? [i] : []));
  }

  help_layer(i, times) {
    const n_post = this.network.sizes[i + 1], weights = this.network.weights[i];
    const missing = new Float64Array(n_post), each = n_post / times.length;
    times.forEach((time, k) => { if (time === Infinity) missing[k % n_post] += 1; });
    const total = missing.reduce((sum, count) => sum + count, 0);
    if (total / times.length <= this.tolerated[i]) {
      this.times_in_a_row[i] = 0;
      return false;
    }
    const rise = min(this.step * 2 ** min(this.times_in_a_row[i], 1000), this.largest_step);
    for (let k = 0; k < weights.length; k += 1) {
      if (missing[k % n_post] * each > this.tolerated[i]) weights[k] += rise;
    }
    this.network.obey_dale_in(i);
    this.times_in_a_row[i] += 1;
    return true;
  }
}

/* Cross-entropy of which output neuron fires first: mean over samples, and its gradient by the output
   times. A silent output counts as firing at `silent_time` and passes no gradient; a sample whose true
   class is silent passes none at all. */
function first_spike_cross_entropy(
  output_times, labels, { xi = 0.2, alpha = 0.005, beta = 1, silent_time = 10 } = {}
) {
  const n_samples = labels.length, n_classes = output_times.length / n_samples;
  const d_times = new Float64Array(output_times.length);
  let loss = 0;
  for (let s = 0; s < n_samples; s += 1) {
    const times = Array.from(output_times.subarray(s * n_classes, (s + 1) * n_classes));
    const heard = times.map((time) => (time === Infinity ? silent_time : time));
    const earliest = min(...heard), own = heard[labels[s]];
    const shares = heard.map((time) => exp((earliest - time) / xi));
    const total = shares.reduce((sum, share) => sum + share, 0);
    loss += (own - earliest) / xi + log(total) + alpha * exp(beta * own);
    if (times[labels[s]] === Infinity) continue;
    times.forEach((time, k) => {
      if (time === Infinity) return;
      const is_true = k === labels[s] ? 1 : 0;
      const d_time = (is_true - shares[k] / total) / xi + is_true * alpha * beta * exp(beta * own);
      d_times[s * n_classes + k] = d_time / n_samples;
    });
  }
  return { loss: loss / n_samples, d_times };
}

/* ---- Spikes in and out ------------------------------------------------------------------------ */

/* Bright (ink) early, background late. */
function latency_encode(images, early = 0.15, late = 2) {
  return images.map((intensity) => early + (1 - intensity) * (late - early));
}

/* First output spike of one sample, and the neuron that fires it; -1 where none does. */
const decision_time = (output_times) => min(...output_times);
function decided_class(output_times) {
  const decision = decision_time(output_times);
  return decision === Infinity ? -1 : output_times.indexOf(decision);
}

/* Influence of each spike on the decision of one sample, the derivative of its time: for the input and
   every hidden layer of a network that has just run forward. They add up to 1 in each layer. */
function influence(network) {
  const { spikes } = network.passes[network.passes.length - 1], winner = decided_class(spikes);
  return network.backward(spikes.map((_, k) => (k === winner ? 1 : 0))).d_times;
}

/* The spikes of a layer at or before the decision. */
const pulse_packet = (times, decision) => times.map((time) => (time <= decision ? time : Infinity));

/* Ends of the shortest interval that holds just over a share of the spikes; null for fewer than four. */
function shortest_interval(times, share = 0.5) {
  const rising = Array.from(times).filter(Number.isFinite).sort((x, y) => x - y), n = rising.length;
  if (n < 4) return null;
  const beyond = Math.min(Math.floor(share * n + 1e-9), n - 1); // from the first spike held to the last
  let best = 0;
  for (let i = 1; i + beyond < n; i += 1) {
    if (rising[i + beyond] - rising[i] < rising[best + beyond] - rising[best]) best = i;
  }
  return [rising[best], rising[best + beyond]];
}

/* A number of spikes, drawn from a packet without replacement; none from one that has fewer. */
function draw_spikes(packet, n_spikes, generator) {
  const left = Array.from(packet).filter(Number.isFinite);
  if (left.length < n_spikes) return [];
  for (let i = 0; i < n_spikes; i += 1) {
    const other = i + (generator.random() % (left.length - i));
    [left[i], left[other]] = [left[other], left[i]];
  }
  return left.slice(0, n_spikes);
}

function shorth(times, share = 0.5) {
  const ends = shortest_interval(times, share);
  return ends ? ends[1] - ends[0] : NaN;
}

/* ---- Randomness: the draws of torch.Generator, so that one seed is one training here and there -- */

class Generator {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = Number(BigInt(seed) & 0xffffffffn);
    for (let i = 1; i < 624; i += 1) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, before) + i;
    }
    this.place = 624;
  }

  /* 32 random bits of the Mersenne twister. */
  random() {
    if (this.place === 624) this.twist();
    let y = this.state[this.place];
    this.place += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  twist() {
    const mt = this.state;
    for (let i = 0; i < 624; i += 1) {
      const y = (mt[i] & 0x80000000) | (mt[(i + 1) % 624] & 0x7fffffff);
      mt[i] = mt[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.place = 0;
  }

  uniform() {
    return (this.random() & 0xffffff) / 0x1000000;
  }

  /* torch.randn for float32, n >= 16: Box and Muller on blocks of sixteen. */
  randn(n) {
    if (n < 16) throw new RangeError(`n must be at least 16, got ${n}`);
    const values = Float32Array.from({ length: n }, () => this.uniform());
    for (let from = 0; from + 16 <= n; from += 16) box_muller(values, from);
    if (n % 16) {
      for (let i = n - 16; i < n; i += 1) values[i] = this.uniform();
      box_muller(values, n - 16);
    }
    return values;
  }

  /* torch.randperm: each place takes one of those that are left. */
  randperm(n) {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < n - 1; i += 1) {
      const other = i + (this.random() % (n - i));
      [order[i], order[other]] = [order[other], order[i]];
    }
    return order;
  }
}

function box_muller(values, from) {
  for (let i = from; i < from + 8; i += 1) {
    const radius = sqrt(-2 * log(1 - values[i])), angle = 2 * Math.PI * values[i + 8];
    values[i] = radius * Math.cos(angle);
    values[i + 8] = radius * Math.sin(angle);
  }
}

/* The untrained weights of a config, drawn as `ttfslib.nn.TTFSNetwork` draws them. */
function initial_weights(sizes, mean, std, generator) {
  return sizes.slice(1).map((n_post, i) => {
    const weights = generator.randn(sizes[i] * n_post);
    const [mean_i, std_i] = [mean[i], std[i]].map(Math.fround);
    return weights.map((value) => mean_i + Math.fround(std_i * value));
  });
}

scope.ttfslib = {
  DEFAULT, psp, psp_slope, membrane_potential, lambertw, crossing_delay, peak_delay,
  first_spike_time, causal_set, spike_time_gradient, first_spikes, first_spikes_backward,
  TTFSNetwork, Adam, SilentNeuronRemedy, first_spike_cross_entropy,
  latency_encode, decision_time, decided_class, silence, influence, pulse_packet, draw_spikes,
  shortest_interval, shorth,
  Generator, initial_weights,
};
}
define_ttfslib(globalThis);
