// Measure digits.onnx on the 10,000 MNIST test images with ONNX Runtime, an
// engine that shares no code with this project or with PyTorch.
//
//     dir=$(mktemp -d)
//     npm install --ignore-scripts --prefix "$dir" onnxruntime-node@1.30.0
//     NODE_PATH="$dir/node_modules" node models/digits/evaluate.mjs
//
// The images are those that train.py keeps in build/cache/digits;
// `train.py --download` fetches them without training.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

// `import` does not look at NODE_PATH; `require` does.
const ort = createRequire(import.meta.url)('onnxruntime-node');

const cache = new URL('../../build/cache/digits/', import.meta.url);
const images = readFileSync(new URL('t10k-images-idx3-ubyte', cache)).subarray(16);
const labels = readFileSync(new URL('t10k-labels-idx1-ubyte', cache)).subarray(8);

const model = fileURLToPath(new URL('digits.onnx', import.meta.url));
const session = await ort.InferenceSession.create(model);

const wrong = [];
let sure = 0; // wrong answers that the model gives more than 90 %
for (let i = 0; i < labels.length; i++) {
  const pixels = Float32Array.from(images.subarray(784 * i, 784 * (i + 1)), (v) => v / 255);
  const image = new ort.Tensor('float32', pixels, [1, 1, 28, 28]);
  const { digit_probabilities: { data } } = await session.run({ image });
  const best = Math.max(...data);
  if (data.indexOf(best) === labels[i]) continue;
  wrong.push(i);
  if (best > 0.9) sure++;
}

const right = labels.length - wrong.length;
console.log(`test images: ${right} of ${labels.length} right, ${(100 * right / labels.length).toFixed(2)} %`);
console.log(`test images: ${wrong.length} wrong, at index ${wrong.join(' ')}`);
console.log(`test images: ${sure} of the wrong answers have a probability above 0.9`);
