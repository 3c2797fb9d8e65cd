// The reader of the page "/browser": onnxruntime-web runs exported models here, and the server computes nothing.
"use strict";

const reader = (() => {
  const SIZE = 28, BOX = 20, CENTER = 14.5; // pixels of MNIST's images and digits; the center of mass in pixel 14
  const THICKNESS = 2.6; // of MNIST's strokes in pixels
  const ARRAYS = { float32: Float32Array, float64: Float64Array };
  let ort = null, models = [];

  async function load() {
    ort = await import("../onnxruntime-web/ort.wasm.bundle.min.mjs");
    models = await (await fetch("exported")).json();
    for (const model of models) model.session = await ort.InferenceSession.create(model.file);
    return models;
  }

  // Return the labels and probabilities of images. The bytes of all images are in one array.
  async function run(model, bytes) {
    const { session, dtype, shape } = model;
    const values = dtype === "uint8" ? bytes : ARRAYS[dtype].from(bytes, (value) => value / 255);
    const nImages = bytes.length / shape.reduce((product, size) => product * size);
    const samples = new ort.Tensor(dtype, values, [nImages, ...shape]);
    const { label, probabilities } = await session.run({ [session.inputNames[0]]: samples });
    return { labels: Array.from(label.data, String), probabilities: Array.from(probabilities.data) };
  }

  async function predict(pad) {
    const frame = frameOf(pad);
    if (!frame) return { message: "no digit found: draw a larger one." };
    const predictions = {};
    for (const model of models) {
      const { probabilities } = await run(model, render(pad, frame, model.image_size));
      predictions[model.name] = Array.from({ length: 10 }, (_, digit) =>
        probabilities[model.classes.indexOf(String(digit))] ?? null);
    }
    return { digit: Array.from(render(pad, frame, [SIZE, SIZE]), (value) => value / 255), predictions };
  }

  // Return the place and the size of the sheet that give the strokes the size and the position of a digit of MNIST.
  function frameOf(pad) {
    const axes = [0, 1].map((axis) => pad.strokes.flat().map((point) => point[axis]));
    const [lows, highs] = [axes.map((values) => Math.min(...values)), axes.map((values) => Math.max(...values))];
    const extent = Math.max(highs[0] - lows[0], highs[1] - lows[1]);
    if (extent < Pad.WIDTH) return null;
    const size = (BOX - THICKNESS) / extent;
    const place = [0, 1].map((axis) => CENTER - (size * (lows[axis] + highs[axis])) / 2);
    const center = massCenter(render(pad, { place, size }, [SIZE, SIZE]));
    return { place: [0, 1].map((axis) => place[axis] + CENTER - center[axis]), size };
  }

  // Draw the strokes with the thickness of MNIST's, and return the bytes of the image.
  function render(pad, { place, size }, [height, width]) {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.scale(width / SIZE, height / SIZE);
    pad.drawStrokes(context, place, size, "white", THICKNESS);
    const { data } = context.getImageData(0, 0, width, height); // red, green, blue and alpha of each pixel
    return Uint8Array.from({ length: width * height }, (_, index) => data[4 * index + 3]);
  }

  function massCenter(pixels) {
    let x = 0, y = 0, sum = 0;
    pixels.forEach((value, index) => {
      x += value * ((index % SIZE) + 0.5);
      y += value * (Math.floor(index / SIZE) + 0.5);
      sum += value;
    });
    return [x / sum, y / sum];
  }

  return { invitation: "Draw a digit.", load, predict, run };
})();
