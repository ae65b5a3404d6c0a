// Draws report.html from the data that the compiler wrote into it.

/** @import { Build, Profile, Program, Summary } from './data.js' */
/** @import { Column } from './table.js' */

import { countText, downloadOf, modelIn, plural, readBuild, sent, sizeText, timeText, titleOf } from './data.js';
import { code, html, section, tabs } from './dom.js';
import { graphPicture } from './graph_picture.js';
import { memoryMap } from './memory_map.js';
import { table } from './table.js';
import { treemap } from './treemap.js';

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** Where a kernel's row is. @param {number} program @param {number} step */
const stepId = (program, step) => `step-${program}-${step}`;

class Report {
  /** @type {Build} */ #build = readBuild();
  /** What a search looks through: elements and their text in lower case. @type {{element: Element, text: string}[]} */
  #found = [];
  /** The steps of each program that compute a node, by the node's name. @type {Map<string, number[]>[]} */
  #stepsOf;
  /** @type {SVGElement | undefined} */
  #graph;
  #aside = html('aside', { 'aria-live': 'polite' });

  constructor() {
    this.#stepsOf = this.#build.programs.map(({ steps }) => {
      /** @type {Map<string, number[]>} */
      const map = new Map();
      steps.forEach(({ nodes }, s) => nodes.forEach((node) => map.set(node, [...map.get(node) ?? [], s])));
      return map;
    });
  }

  draw() {
    const build = this.#build;
    document.title = `${build.name}: report`;
    byId('name').textContent = build.name;
    byId('origin').before(...this.#choice());
    byId('origin').append(...this.#origin());
    byId('cards').append(...this.#cards());
    const sections = [
      this.#changes(), this.#downloads(), this.#ports(), this.#quantization(), this.#time(build.profile), this.#programs(), this.#graphSection(), this.#sizes(), this.#weights(),
    ].filter((part) => part !== undefined);
    byId('sections').append(...sections);
    byId('contents').append(...sections.map((part) => html('a', { href: `#${part.id}` }, part.dataset.title)));
    const search = /** @type {HTMLInputElement} */ (byId('search'));
    search.oninput = () => this.#search(search.value.trim().toLowerCase());
    addEventListener('hashchange', () => this.#follow());
    this.#follow();
  }

  /** Of several models: which is shown, and the others. */
  #choice() {
    const { model_name: shown, model_names: names = [] } = this.#build;
    if (!names.length) return [];
    const links = names.map((name) => html('a', { href: `?model=${encodeURIComponent(name)}`, 'aria-current': name === shown ? 'page' : undefined }, name));
    return [html('nav', { class: 'models', 'aria-label': 'Models' }, ...links)];
  }

  // ---- What it is

  #origin() {
    const { webnnc, build, command, model } = this.#build;
    const opsets = Object.entries(model.opsets).map(([domain, version]) => `${domain} ${version}`).join(', ');
    return [
      'built by webnnc ', webnnc, ...(build ? [' · build ', code(build)] : []), html('br'),
      'from ', code(model.file), ` (${sizeText(model.bytes)}; opset ${opsets}${model.producer ? `; ${model.producer}` : ''})`, html('br'),
      'SHA-256 ', html('code', { class: 'hash' }, model.sha256), html('br'),
      html('code', {}, command),
    ];
  }

  #cards() {
    const { files, programs, model } = this.#build, { code: codeBytes, weights } = downloadOf(files);
    const card = (/** @type {string} */ value, /** @type {string} */ label) => html('div', { class: 'card' }, html('b', {}, value), html('span', {}, label));
    const gpu = programs.find(({ kind }) => kind === 'webgpu'), cpu = programs.find(({ kind }) => kind === 'wasm');
    return [
      card(sizeText(codeBytes + weights), `a first visit downloads: ${sizeText(codeBytes)} of code, ${sizeText(weights)} of weights, compressed`),
      card(sizeText(Math.max(...programs.map(({ memory }) => memory.bytes))), `of memory for a run${this.#forSizes()}, besides weights`),
      gpu && card(isBaseline(gpu) ? 'every GPU' : 'some GPUs', isBaseline(gpu) ? 'that offers WebGPU can run it' : 'that offer WebGPU can run it: see what it requires'),
      card(countText(model.parameters), 'parameters'),
      card(countText(programs[0].multiplyAdds), `multiply-adds a run${this.#forSizes()}`),
      gpu && card(plural(gpu.dispatches, 'dispatch'), `on the GPU, for ${plural(gpu.nodes, 'node')} of the model`),
      !gpu && cpu && card(plural(cpu.dispatches, 'kernel'), `on the CPU, for ${plural(cpu.nodes, 'node')} of the model`),
    ].filter((part) => part instanceof Node);
  }

  /** " (batch = 1)", where sizes are open. */
  #forSizes() {
    const text = Object.entries(this.#build.sizes).map(([name, value]) => `${name} = ${value}`).join(', ');
    return text && ` (${text})`;
  }

  // ---- Changes

  #changes() {
    const { previous } = this.#build;
    const body = html('div');
    const show = (/** @type {Summary} */ before) => body.replaceChildren(...this.#difference(before));
    if (previous) show(previous);
    else body.append(html('p', { class: 'soft' }, 'There was no earlier build in the folder.'));
    return section('changes', 'What changed', body, chooser('Compare with another report.html', async (file) => {
      const page = new DOMParser().parseFromString(await file.text(), 'text/html');
      const text = page.getElementById('build')?.textContent;
      if (!text) throw new Error(`${file.name} is not a report of this version`);
      show(summarize(modelIn(JSON.parse(text), this.#build.model_name)));
    }));
  }

  /** @param {Summary} before */
  #difference(before) {
    const after = summarize(this.#build);
    /** @type {{what: string, before: number, after: number, text: (value: number) => string}[]} */
    const rows = [];
    const compare = (/** @type {string} */ what, /** @type {number | undefined} */ old, /** @type {number | undefined} */ now, /** @type {(value: number) => string} */ text) => {
      if (old !== now) rows.push({ what, before: old ?? 0, after: now ?? 0, text });
    };
    compare('parameters', before.parameters, after.parameters, countText);
    const names = new Set([...after.files, ...before.files].map(({ name }) => name));
    for (const name of names) {
      const [old, now] = [before, after].map(({ files }) => files.find((file) => file.name === name));
      compare(name, old && sent(old), now && sent(now), sizeText);
    }
    for (const program of after.programs) {
      const old = before.programs.find(({ kind, half }) => kind === program.kind && half === program.half);
      const title = titleOf(/** @type {any} */ (program));
      compare(`${title}: dispatches`, old?.dispatches, program.dispatches, String);
      compare(`${title}: memory`, old?.memory, program.memory, sizeText);
      compare(`${title}: multiply-adds`, old?.multiplyAdds, program.multiplyAdds, countText);
      for (const kernel of new Set([...Object.keys(program.kernels), ...Object.keys(old?.kernels ?? {})])) {
        compare(`${title}: code of ${kernel}`, old?.kernels[kernel], program.kernels[kernel], sizeText);
      }
    }
    const versions = before.webnnc === after.webnnc ? '' : `; that one was made by webnnc ${before.webnnc}`;
    const heading = html('p', { class: 'soft' }, 'Since build ', code(before.build), versions, rows.length ? '.' : ': nothing but, maybe, the values of weights.');
    if (!rows.length) return [heading];
    return [heading, table([
      { title: 'What', cell: ({ what }) => what, key: ({ what }) => what },
      { title: 'Before', cell: (row) => row.text(row.before), key: (row) => row.before },
      { title: 'Now', cell: (row) => row.text(row.after), key: (row) => row.after },
      { title: 'Change', cell: (row) => percent(row.before, row.after), key: (row) => row.after / (row.before || 1) - 1 },
    ], rows)];
  }

  // ---- Files

  #downloads() {
    const { files } = this.#build;
    const weights = files.find(({ name }) => name === 'model.weights.bin');
    const saved = weights?.gzipBytes ? 1 - weights.gzipBytes / weights.bytes : 0;
    return section('files', 'Files', html('p', {}, 'A page downloads model.js, one of the two modules and the weights, and one file of shaders if WebGPU runs the model. The other files are for you.'),
      table([
        { title: 'File', cell: ({ name }) => code(name), key: ({ name }) => name },
        { title: 'Bytes', cell: ({ bytes }) => sizeText(bytes), key: ({ bytes }) => bytes },
        { title: 'Compressed (gzip)', cell: ({ gzipBytes }) => gzipBytes ? sizeText(gzipBytes) : '', key: (file) => sent(file) },
      ], files),
      html('p', {}, saved > 0.03
        ? `Compress model.weights.bin beforehand and let the server send it so: that saves ${Math.round(100 * saved)} % of the weights.`
        : 'Compressing the weights would gain next to nothing; compress the modules and scripts.',
      ' Servers that compress as they send often leave out .bin files; brotli is a little better than gzip.'));
  }

  #ports() {
    const { inputs, outputs, assumptions } = this.#build;
    const rows = [...inputs.map((port) => ({ kind: 'input', port })), ...outputs.map((port) => ({ kind: 'output', port }))];
    return section('ports', 'Inputs and outputs', table([
      { title: '', cell: ({ kind }) => kind },
      { title: 'Name', cell: ({ port }) => code(port.name) },
      { title: 'Type', cell: ({ port }) => code(port.type) },
      { title: `Bytes${this.#forSizes()}`, cell: ({ port }) => sizeText(port.bytes), key: ({ port }) => port.bytes },
      { title: '', cell: ({ port }) => port.image ? 'pictures' : '' },
    ], rows), assumptions.length > 0 && html('p', {}, 'A run is refused unless'),
    assumptions.length > 0 && html('ul', {}, ...assumptions.map((assumption) => html('li', {}, code(assumption)))));
  }

  /** What --quantize made of the weights and --precision of the arithmetic, and what it costs. */
  #quantization() {
    const { quantization } = this.#build;
    if (!quantization) return undefined;
    const { storage, precision, bytesBefore, bytesAfter, inputs, madeUp, errors } = quantization;
    const of = madeUp ? 'an input that was made up: --calibrate tells on yours' : plural(inputs, 'input');
    return section('quantization', 'Fewer bits', html('p', {}, `${storage ? `Weights were stored as ${storage}: constants` : 'Constants'} have ${sizeText(bytesAfter)} instead of ${sizeText(bytesBefore)}.`),
      precision && html('p', {}, `${precision.values} values of float32 are ${precision.type}. Float32 are still ${precision.kept.map(({ reason, values }) => `${values} ${reason}`).join(', ') || 'none'}.`),
      html('p', {}, errors.length > 0 ? `This is what outputs differ by, computed on ${of}.` : 'What outputs differ by is not known: give inputs by --calibrate.'),
      errors.length > 0 && table([
        { title: 'Output', cell: ({ output }) => code(output), key: ({ output }) => output },
        { title: 'Difference', cell: ({ error }) => error === null ? 'not finite' : `${Number((100 * error).toPrecision(3))} %`, key: ({ error }) => error ?? Infinity },
      ], errors),
      html('p', { class: 'soft' }, "Of floats the root of the mean square of the difference, by that of float32's results; of integers the part that are others. The worst of all inputs."));
  }

  // ---- Time

  /** @param {Profile} [profile] */
  #time(profile) {
    const body = html('div');
    const show = (/** @type {Profile} */ given) => body.replaceChildren(...this.#bars(given));
    if (profile) show(profile);
    else {
      body.append(html('p', { class: 'soft' }, 'No times were measured. ', code('model.profile(inputs)'), ' in a page measures them, and so does the page that lies beside this one; save what it gives as a file, and open it here or name it with ', code('--profile'), '.'));
    }
    return section('time', 'Time', body, chooser('Open a profile', async (file) => show(JSON.parse(await file.text()))));
  }

  /** @param {Profile} profile */
  #bars({ clock, total, steps }) {
    const { programs } = this.#build;
    // The profile is of the program that has these kernels in this order.
    const index = programs.findIndex((program) => program.steps.length === steps.length &&
      steps.every(({ kernel }, s) => program.kernels[program.steps[s].kernel].name === kernel));
    const most = steps.reduce((a, { ms }) => Math.max(a, ms), 0);
    const order = steps.map((step, s) => ({ ...step, s })).sort((a, b) => b.ms - a.ms);
    const list = html('ol', { class: 'bars' }, ...order.map(({ kernel, ms, s }) => {
      const work = index < 0 ? 0 : programs[index].kernels[programs[index].steps[s].kernel].multiplyAdds;
      const bar = html('i');
      bar.style.width = `${100 * ms / (most || 1)}%`;
      return html('li', {}, html(index < 0 ? 'span' : 'a', { href: index < 0 ? undefined : `#${stepId(index, s)}` }, `${s} ${kernel}`), bar,
        html('span', { class: 'n' }, `${timeText(ms)}, ${percentOf(ms, total)}`), html('span', { class: 'n soft' }, work && ms ? `${countText(2e3 * work / ms)} operations/s` : ''));
    }));
    const of = index < 0 ? ' It is of another build or model: its kernels are not those of any program here.' : '';
    return [html('p', {}, `${timeText(total)} in all, by ${clock === 'gpu' ? "the GPU's own clock" : 'the time that passed'}.${of}`), list];
  }

  // ---- Programs

  #programs() {
    const { programs } = this.#build, body = html('div');
    const parts = programs.map((program, index) => this.#program(program, index));
    const buttons = tabs('Programs', programs.map(titleOf), (index) => parts.forEach((part, i) => part.hidden = i !== index));
    body.append(...parts);
    return section('programs', 'Programs', buttons, body);
  }

  /** @param {Program} program @param {number} index */
  #program(program, index) {
    const { memory, kernels, steps } = program;
    const rows = steps.map((step, s) => ({ step, s, kernel: kernels[step.kernel] }));
    /** @type {Column<typeof rows[0]>[]} */
    const columns = [
      { title: 'Step', cell: ({ s }) => s, key: ({ s }) => s },
      { title: 'Kernel', cell: ({ kernel }) => schedule(kernel), key: ({ kernel }) => kernel.name },
      { title: 'Nodes of the model', cell: ({ step }) => this.#nodeLinks(step.nodes), key: ({ step }) => step.nodes.join() },
      { title: 'Result', cell: ({ kernel }) => html('span', {}, ...kernel.results.map((type) => html('code', { class: 'type' }, type))) },
      { title: 'Multiply-adds', cell: ({ kernel }) => kernel.multiplyAdds ? countText(kernel.multiplyAdds) : '', key: ({ kernel }) => kernel.multiplyAdds },
      { title: 'Bytes touched', cell: ({ step }) => sizeText(step.bytes), key: ({ step }) => step.bytes },
      { title: program.kind === 'wasm' ? 'Code' : 'Shader', cell: ({ kernel }) => sizeText(kernel.codeBytes), key: ({ kernel }) => kernel.codeBytes },
    ];
    const list = table(columns, rows, ({ s }) => ({ id: stepId(index, s), tabindex: '-1' }));
    rows.forEach(({ step, s, kernel }) => this.#index(list.querySelector(`#${stepId(index, s)}`), kernel.name, ...step.nodes));
    return html('div', { 'data-program': index },
      html('p', { class: 'lead' }, `${plural(program.dispatches, program.kind === 'wasm' ? 'kernel' : 'dispatch')} for ${plural(program.nodes, 'node')} of the model.`),
      requirements(program),
      html('h3', {}, 'Memory'),
      html('p', {}, `${sizeText(memory.bytes)} hold all activations, inputs and outputs${this.#forSizes()}. ${sizeText(memory.least)} is the most that is in use at one step, so no plan is smaller than that. Each rectangle is a buffer: from left to right the steps that use it, from bottom to top its place.`),
      html('p', { class: 'legend' }, html('i', { class: 'input' }), ' input ', html('i', { class: 'output' }), ' output ', html('i', { class: 'activation' }), ' activation'),
      memoryMap(program),
      html('h3', {}, 'Kernels'), list);
  }

  /** @param {string[]} names */
  #nodeLinks(names) {
    const link = (/** @type {string} */ name) => {
      const index = this.#build.nodes.findIndex((node) => node.name === name && node.op !== 'input' && node.op !== 'output');
      return index < 0 ? code(name) : html('a', { href: `#node-${index}` }, code(name));
    };
    if (names.length < 3) return html('span', { class: 'list' }, ...names.map(link));
    return html('details', {}, html('summary', {}, code(names[names.length - 1]), ` and ${names.length - 1} more`), html('span', { class: 'list' }, ...names.map(link)));
  }

  // ---- The graph

  #graphSection() {
    const { nodes, programs } = this.#build;
    if (!nodes.some(({ from }) => from.length)) return undefined;
    const colorOf = (/** @type {number} */ i) => {
      const { name, op } = nodes[i];
      if (op === 'input' || op === 'output') return op;
      const steps = this.#stepsOf[0].get(name);
      return steps ? `color${steps[0] % 8}` : 'folded';
    };
    this.#graph = graphPicture(nodes, colorOf, (index) => location.hash = `node-${index}`);
    nodes.forEach(({ name, op }, i) => this.#index(this.#graph?.querySelector(`[data-node="${i}"]`), name, op));
    this.#aside.append(html('p', { class: 'soft' }, 'Choose a node to see which kernels compute it.'));
    return section('graph', 'Graph', html('p', {}, `The model as it is in the file, from inputs to outputs. Neighbours of one colour are computed by one kernel (${titleOf(programs[0])}); a node without colour was computed when the model was compiled, or costs nothing.`),
      html('div', { class: 'split' }, html('div', { class: 'scroll graph', tabindex: '0', role: 'region', 'aria-label': 'Graph' }, this.#graph), this.#aside));
  }

  /** @param {number} index */
  #describeNode(index) {
    const { nodes, programs } = this.#build, { name, op, from } = nodes[index];
    const users = nodes.map((node, i) => ({ node, i })).filter(({ node }) => node.from.includes(index));
    const link = (/** @type {number} */ i) => html('a', { href: `#node-${i}` }, `${nodes[i].op} ${nodes[i].name}`);
    const kernels = programs.flatMap((program, p) => (this.#stepsOf[p].get(name) ?? []).map((s) =>
      html('a', { href: `#${stepId(p, s)}` }, `${titleOf(program)}: step ${s}, ${program.kernels[program.steps[s].kernel].name}`)));
    const list = (/** @type {string} */ title, /** @type {Element[]} */ links) =>
      links.length > 0 && html('div', {}, html('h3', {}, title), html('span', { class: 'list' }, ...links));
    this.#aside.replaceChildren(html('h3', {}, op), html('p', {}, code(name)), ...[
      list('Computed by', kernels) || (op !== 'input' && op !== 'output' && html('p', { class: 'soft' }, 'No kernel computes it: it was computed when the model was compiled, or costs nothing.')),
      list('Takes', from.map(link)), list('Is taken by', users.map(({ i }) => link(i)))].filter((part) => part instanceof Node));
  }

  /** Marks the nodes of these names, and scrolls to the first. @param {string[]} names */
  #mark(names) {
    const { nodes } = this.#build;
    const marked = [...this.#graph?.querySelectorAll('[data-node]') ?? []].filter((box) => {
      const isMarked = names.includes(nodes[Number(box.getAttribute('data-node'))].name);
      box.classList.toggle('marked', isMarked);
      return isMarked;
    });
    marked[0]?.scrollIntoView({ block: 'center', inline: 'center' });
  }

  // ---- Sizes

  #sizes() {
    const { weights, programs } = this.#build;
    const views = [
      { name: 'Weights', draw: () => treemap(weights.map(({ id, name, type, bytes }) => ({ label: name, detail: `${name} ${type}`, size: bytes, color: id, href: this.#weightLink(id) })), 'weights') },
      ...programs.map((program, p) => ({
        name: `Code: ${titleOf(program)}`,
        draw: () => treemap(program.kernels.map((kernel, k) => {
          const s = program.steps.findIndex((step) => step.kernel === k);
          return { label: kernel.name, detail: kernel.name, size: kernel.codeBytes, color: k, href: s < 0 ? undefined : `#${stepId(p, s)}` };
        }), 'kernels'),
      })),
    ];
    const picture = html('div');
    return section('sizes', 'Sizes', tabs('What to show', views.map(({ name }) => name), (index) => picture.replaceChildren(views[index].draw())), picture,
      html('p', { class: 'soft' }, "Each area is a weight's bytes, or those of a kernel's code: WGSL for the GPU, wasm for the CPU, both before compression."));
  }

  /** The first step that reads a weight. @param {number} id */
  #weightLink(id) {
    for (const [p, { steps }] of this.#build.programs.entries()) {
      const s = steps.findIndex(({ weights }) => weights.includes(id));
      if (s >= 0) return `#${stepId(p, s)}`;
    }
    return undefined;
  }

  #weights() {
    const { weights } = this.#build, total = weights.reduce((sum, { bytes }) => sum + bytes, 0);
    const list = table([
      { title: 'Weight', cell: ({ id, name }) => html('a', { href: this.#weightLink(id) }, code(name)), key: ({ name }) => name },
      { title: 'Type in the file', cell: ({ type }) => html('code', { class: 'type' }, type), key: ({ type }) => type },
      { title: 'Packed from', cell: ({ packedFrom }) => packedFrom ? html('code', { class: 'type' }, packedFrom) : '' },
      { title: 'Bytes', cell: ({ bytes }) => sizeText(bytes), key: ({ bytes }) => bytes },
      { title: 'At', cell: ({ offset }) => offset, key: ({ offset }) => offset },
    ], weights);
    [...list.querySelectorAll('tbody tr')].forEach((row, i) => this.#index(row, weights[i].name));
    return section('weights', 'Weights', html('details', {}, html('summary', {}, `${plural(weights.length, 'weight')}, ${sizeText(total)}, in the order that kernels read them`), list));
  }

  // ---- Finding

  /** @param {Element | null | undefined} element @param {...string} texts */
  #index(element, ...texts) {
    if (element) this.#found.push({ element, text: texts.join('\n').toLowerCase() });
  }

  /** Shows the rows that have the words, and marks the nodes. @param {string} words */
  #search(words) {
    document.body.classList.toggle('searching', words !== '');
    for (const { element, text } of this.#found) {
      const matches = words !== '' && text.includes(words);
      if (element instanceof HTMLTableRowElement) element.hidden = words !== '' && !matches;
      else element.classList.toggle('marked', matches);
    }
    if (words) document.querySelector('#weights details')?.setAttribute('open', '');
  }

  /** Goes where the address points: to a node of the graph or to a step. */
  #follow() {
    const [kind, first, second] = location.hash.slice(1).split('-');
    if (kind === 'node') {
      const index = Number(first);
      if (!this.#build.nodes[index]) return;
      this.#describeNode(index);
      this.#mark([this.#build.nodes[index].name]);
    } else if (kind === 'step') {
      const program = Number(first), step = this.#build.programs[program]?.steps[Number(second)];
      if (!step) return;
      /** @type {HTMLElement | undefined} */ (document.querySelectorAll('#programs .tabs button')[program])?.click();
      this.#mark(step.nodes);
      const row = byId(stepId(program, Number(second)));
      row.hidden = false;
      row.focus();
      row.scrollIntoView({ block: 'center' });
    }
  }
}

/** @param {Program} program */
const isBaseline = ({ features = [], limits = {} }) => !features.length && !Object.keys(limits).length;

/** @param {Program} program */
function requirements(program) {
  if (program.kind === 'wasm') return html('p', {}, 'Requires wasm with 128-bit SIMD, which all current engines have.');
  if (isBaseline(program)) return html('p', {}, 'Runs on every WebGPU device: it requires no feature, and no limit above what WebGPU guarantees.');
  return html('div', {}, html('p', {}, 'The device must have'), html('ul', {}, ...(program.features ?? []).map((feature) => html('li', {}, code(feature))),
    ...Object.entries(program.limits ?? {}).map(([limit, value]) => html('li', {}, code(limit), ` of ${value.toLocaleString('en')}`))));
}

/** @param {{name: string, schedule: string}} kernel */
const schedule = (kernel) => kernel.schedule
  ? html('details', {}, html('summary', {}, code(kernel.name)), html('pre', {}, kernel.schedule)) : code(kernel.name);

/** @param {number} before @param {number} after */
function percent(before, after) {
  if (!before) return 'new';
  if (!after) return 'gone';
  const change = 100 * (after / before - 1);
  return `${change > 0 ? '+' : '−'}${Math.abs(change).toFixed(Math.abs(change) < 10 ? 1 : 0)} %`;
}

/** @param {number} part @param {number} all */
const percentOf = (part, all) => `${(100 * part / (all || 1)).toFixed(1)} %`;

/** @param {Build} build @returns {Summary} */
function summarize({ webnnc, build, model, files, programs }) {
  return {
    webnnc, build, parameters: model.parameters, files,
    programs: programs.map(({ kind, half = false, dispatches, memory, multiplyAdds, kernels }) => ({
      kind, half, dispatches, memory: memory.bytes, multiplyAdds,
      kernels: Object.fromEntries(kernels.map(({ name, codeBytes }) => [name, codeBytes])),
    })),
  };
}

/** A button that opens a file. @param {string} label @param {(file: globalThis.File) => Promise<void>} open */
function chooser(label, open) {
  const problem = html('span', { class: 'problem', role: 'alert' });
  const input = /** @type {HTMLInputElement} */ (html('input', { type: 'file', change: async () => {
    const file = input.files?.[0];
    if (!file) return;
    problem.textContent = '';
    try {
      await open(file);
    } catch (error) {
      problem.textContent = `${file.name} could not be read: ${error instanceof Error ? error.message : error}`;
    }
  } }));
  return html('p', {}, html('label', { class: 'file' }, label, input), ' ', problem);
}

new Report().draw();
