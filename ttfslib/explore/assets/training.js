/* A training in the browser: `ttfslib.fit` step by step, and what a worker does with it.

   With the config and the seed of a run it draws the same weights, batches and noise as Python does,
   and so goes the same way, up to what rounding in float32 makes of it. */
function define_training(scope) {
"use strict";

const {
  Adam, Generator, SilentNeuronRemedy, TTFSNetwork, decided_class, decision_time,
  first_spike_cross_entropy, initial_weights, latency_encode, pulse_packet, shorth,
} = scope.ttfslib;
const MAX_SLICE = 40; // milliseconds between two looks at the messages

const last = (array) => array[array.length - 1];
const mean = (values) => (values.length ? values.reduce((sum, v) => sum + v, 0) / values.length : null);

class Training {
  /* `samples` has the parts "train" and others: features in [0, 1], row by row, and labels. */
  constructor(config, seed, samples) {
    const sizes = [samples.train.features.length / samples.train.labels.length, ...config.hidden, 10];
    Object.assign(this, { config: { ...config }, seed, samples, sizes, n_steps: 0 });
    this.generator = new Generator(seed);
    const weights = initial_weights(sizes, config.weight_mean, config.weight_std, this.generator);
    const { tau_m, tau_s, threshold, excitatory_share } = config;
    this.options = { params: { tau_m, tau_s, threshold }, excitatory_share };
    this.network = new TTFSNetwork(sizes, weights, this.options);
    this.twin = new TTFSNetwork(sizes, weights.map((matrix) => matrix.slice()), this.options);
    this.optimizer = new Adam(this.network.weights);
    this.remedy = new SilentNeuronRemedy(this.network, {
      hidden_share: config.silent_hidden_share,
      output_share: config.silent_output_share,
      step: config.silent_step,
    });
    this.n_samples = samples.train.labels.length;
    this.steps_per_epoch = Math.ceil(this.n_samples / config.batch_size);
  }

  get epoch() {
    return this.n_steps / this.steps_per_epoch;
  }

  get progress() {
    return Math.min(this.epoch / this.config.epochs, 1);
  }

  get learning_rate() {
    return (this.config.learning_rate * (1 + Math.cos(Math.PI * this.progress))) / 2;
  }

  get noise_scale() {
    const { input_noise, final_noise } = this.config;
    return final_noise === null ? input_noise : input_noise + this.progress * (final_noise - input_noise);
  }

  get dale() {
    return this.network.excitatory_share !== null;
  }

  set dale(obeys) {
    this.network.excitatory_share = obeys ? this.options.excitatory_share : null;
    this.network.obey_dale();
  }

  /* The next batch: a new order in each epoch, and noise on the input spikes. */
  batch() {
    const { batch_size, early, late } = this.config, { features, labels } = this.samples.train;
    const place = this.n_steps % this.steps_per_epoch, n_pre = this.sizes[0];
    if (place === 0) this.order = this.generator.randperm(this.n_samples);
    const chosen = this.order.subarray(place * batch_size, (place + 1) * batch_size);
    const images = new Float32Array(chosen.length * n_pre);
    chosen.forEach((i, k) => images.set(features.subarray(i * n_pre, (i + 1) * n_pre), k * n_pre));
    const times = latency_encode(images, early, late), scale = this.noise_scale;
    if (scale) {
      const noise = this.generator.randn(times.length);
      for (let k = 0; k < times.length; k += 1) times[k] += Math.fround(scale * noise[k]);
    }
    return { times, labels: Array.from(chosen, (i) => labels[i]) };
  }

  /* One step of the optimizer; the loss and what the batch did. */
  step() {
    const { times, labels } = this.batch();
    const layers = this.network.forward(times);
    const { loss, d_times } = first_spike_cross_entropy(last(layers), labels, this.config.loss);
    const { d_weights } = this.network.backward(d_times);
    this.optimizer.step(d_weights, this.learning_rate);
    this.remedy.help(layers);
    this.network.obey_dale();
    this.n_steps += 1;
    return { loss, layers };
  }

  /* What the network does with a part of the samples, without noise. */
  evaluate(part, network = this.network) {
    const { features, labels } = this.samples[part], { early, late, loss } = this.config;
    const inputs = latency_encode(features, early, late);
    const layers = [inputs, ...network.forward(inputs)];
    const row = (times, i, s) => times.subarray(s * this.sizes[i], (s + 1) * this.sizes[i]);
    const outputs = last(layers), widths = layers.map(() => []);
    let n_correct = 0;
    labels.forEach((label, s) => {
      const output = row(outputs, layers.length - 1, s), decision = decision_time(output);
      n_correct += decided_class(output) === label;
      layers.forEach((times, i) => {
        const width = shorth(pulse_packet(row(times, i, s), decision));
        if (!Number.isNaN(width)) widths[i].push(width);
      });
    });
    const n_silent = layers.map((times) => times.reduce((n, time) => n + (time === Infinity), 0));
    return {
      epoch: this.epoch,
      accuracy: n_correct / labels.length,
      loss: first_spike_cross_entropy(outputs, labels, loss).loss,
      silent: layers.map((times, i) => n_silent[i] / times.length),
      shorth: widths.map(mean),
    };
  }

  /* Spike times of one image in each layer, input first. */
  volley(image, network = this.network) {
    const times = latency_encode(Float32Array.from(image), this.config.early, this.config.late);
    return [times, ...network.forward(times)].map((layer) => Array.from(layer));
  }
}

/* Train behind a port (a worker's `self`, or a pair of functions on the page itself): it is told what
   to do and says, a few times a second, what there is to see. */
function serve(port) {
  let training = null, running = false, timer = null, shown = null, watched = 0, last_loss = null;
  let pace = 0; // steps a second; 0 is as fast as it goes
  const MEASURES_PER_EPOCH = 4;

  const measure = () => port.postMessage({ kind: "measure", ...training.evaluate("test") });
  const look = () => port.postMessage({
    kind: "look",
    running,
    epoch: training.epoch,
    n_steps: training.n_steps,
    loss: last_loss,
    learning_rate: training.learning_rate,
    noise: training.noise_scale,
    watched: { layer: watched, n_post: training.sizes[watched + 1], matrix: training.network.weights[watched] },
    volley: shown && training.volley(shown),
    twin: shown && training.volley(shown, training.twin),
  });

  function step() {
    last_loss = training.step().loss;
    if (training.n_steps % Math.round(training.steps_per_epoch / MEASURES_PER_EPOCH) === 0) measure();
    if (training.epoch >= training.config.epochs) running = false;
  }

  function slice() {
    const begun = Date.now(), n_most = pace ? 1 : Infinity;
    for (let n = 0; running && n < n_most && Date.now() - begun < MAX_SLICE; n += 1) step();
    look();
    if (running) timer = setTimeout(slice, pace ? Math.max(1000 / pace - (Date.now() - begun), 0) : 0);
  }

  const commands = {
    start({ config, seed, samples }) {
      running = false;
      training = new Training(config, seed, samples);
      last_loss = null;
      measure();
      look();
    },
    run() {
      running = training.epoch < training.config.epochs;
      slice();
    },
    pause() {
      running = false;
      look();
    },
    step() {
      running = false;
      step();
      look();
    },
    show({ image }) {
      shown = image;
      if (training) look();
    },
    watch({ layer }) {
      watched = layer;
      if (training) look();
    },
    pace({ steps }) { pace = steps; },
    set({ changes: { dale, loss, ...changes } }) {
      if (dale !== undefined) training.dale = dale;
      Object.assign(training.config, changes);
      training.config.loss = { ...training.config.loss, ...loss };
    },
  };
  port.onmessage = ({ data }) => {
    clearTimeout(timer);
    const was_running = running && data.command !== "pause";
    commands[data.command](data);
    if (was_running && running && data.command !== "run") timer = setTimeout(slice, 0);
  };
}

Object.assign(scope.ttfslib, { Training, serve });
}
define_training(globalThis);
