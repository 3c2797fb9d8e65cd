// Pictures of what a network sees: the digit, its saliency and its HOG cells.
"use strict";

const pictures = (() => {
  // Colors of matplotlib's "inferno", which also readers with color vision deficiency tell apart.
  const INFERNO = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];

  const gray = (value) => [255 * value, 255 * value, 255 * value];

  function inferno(value) {
    const place = value * (INFERNO.length - 1);
    const below = Math.min(Math.floor(place), INFERNO.length - 2);
    return INFERNO[below].map((color, index) => color + (place - below) * (INFERNO[below + 1][index] - color));
  }

  function draw(canvas, values, width, color, label) {
    canvas.width = width;
    canvas.height = values.length / width;
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    values.forEach((value, index) => image.data.set([...color(value), 255], 4 * index));
    context.putImageData(image, 0, 0);
    canvas.setAttribute("aria-label", label);
  }

  // One line per orientation, parallel to the edges of this orientation, as in kerasnet.plots.HOGDisplay.
  function drawCells(canvas, cells, label) {
    const size = canvas.width = canvas.height = 336;
    const context = canvas.getContext("2d");
    const side = size / cells.length, radius = side / 2 - 2;
    context.lineWidth = 2.5;
    context.lineCap = "round";
    cells.forEach((row, rowIndex) => row.forEach((cell, columnIndex) => {
      const x = (columnIndex + 0.5) * side, y = (rowIndex + 0.5) * side;
      cell.forEach((value, bin) => {
        const angle = Math.PI * (bin + 0.5) / cell.length;
        const dx = radius * Math.sin(angle), dy = -radius * Math.cos(angle);
        context.strokeStyle = `rgb(255 255 255 / ${value ** 0.7})`;
        context.beginPath();
        context.moveTo(x - dx, y - dy);
        context.lineTo(x + dx, y + dy);
        context.stroke();
      });
    }));
    canvas.setAttribute("aria-label", label);
  }

  function clear(canvas, label) {
    canvas.width = canvas.height = 28;
    canvas.setAttribute("aria-label", label);
  }

  return {
    seen: (canvas, digit, label) => draw(canvas, digit, 28, gray, label),
    saliency: (canvas, rows, label) => draw(canvas, rows.flat(), rows[0].length, inferno, label),
    hog: drawCells,
    clear,
  };
})();
