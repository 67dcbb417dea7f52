// Puts the drawing of a network into the page, and says what the pointer is on.
const HINT = "Point at a line or a circle, or tap it, to read all of its numbers.";

export default function (component) {
  const { data, parentElement } = component;
  const box = parentElement.querySelector(".net");
  const tip = parentElement.querySelector(".tip");
  box.innerHTML = data.svg;
  box.classList.toggle("some", data.some);
  tip.textContent = HINT;
  box.onpointerover = (event) => {
    const part = event.target.closest("[data-tip]");
    if (part) tip.textContent = part.dataset.tip;
  };
}
