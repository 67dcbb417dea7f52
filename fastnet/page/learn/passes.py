"""The chapters on one pass: forward, backward, and the step of gradient descent."""

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import gradcheck, reference
from fastnet.figures.style import SETS, alt, text_title, themed
from fastnet.page.learn import drawing, lab, steps
from fastnet.page.learn.numbers import after_step, curve, loss_along, parameters, pass_of, tex, text
from fastnet.page.parts import show_chart, show_table, theme

SAMPLES = 8
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0)


def forward():
    """A sample goes through the network, connection by connection."""
    setup = lab.setup("pass")
    X, Y = setup.samples(SAMPLES)
    chosen = lab.choose_sample(X, Y, "learn-pass-sample")
    net = setup.network()
    p = pass_of(net, setup.activation, X[chosen], Y[chosen])
    lab.show_steps("forward", setup, p, steps.forward_steps(p), forward=True)
    st.subheader("The same for all samples", anchor=False)
    every = pass_of(net, setup.activation, X, Y)
    sample_table(every)
    st.markdown(f"The loss of all {SAMPLES} samples is the mean: **{text(every.mean_loss, 6)}**.")
    in_general(
        r"z1 = W1\,x + b1, \qquad h = s(z1), \qquad \hat y = z2 = W2\,h + b2",
        r"L = \tfrac12 \textstyle\sum_k (\hat y_k - y_k)^2",
        lab.FORMULAS[setup.activation],
    )


def backward():
    """The error goes back through the network, and leaves a gradient at every parameter."""
    setup = lab.setup("pass")
    X, Y = setup.samples(SAMPLES)
    chosen = lab.choose_sample(X, Y, "learn-pass-samples", with_all=True)
    p = pass_of(setup.network(), setup.activation, X[chosen], Y[chosen])
    lab.show_steps("backward", setup, p, steps.backward_steps(p), forward=False)
    in_general(
        r"dz2 = \hat y - y, \qquad dW2 = dz2\,h^{\mathsf T}, \qquad db2 = dz2",
        r"dz1 = (W2^{\mathsf T} dz2) \odot s'(z1), \qquad "
        r"dW1 = dz1\,x^{\mathsf T}, \qquad db1 = dz1",
        lab.FORMULAS[setup.activation],
    )
    with st.expander("Check every gradient without backpropagation"):
        check(p)


def in_general(*lines):
    """The formulas for any number of units."""
    st.subheader("In general", anchor=False)
    lab.show_formulas(lines)


def sample_table(p):
    """Show one row per sample: what the network makes of it."""
    columns = {"x": p.X[:, 0]}
    columns |= {f"h{u + 1}": p.H[:, u] for u in range(p.H.shape[1])}
    columns |= {"ŷ": p.outputs[:, 0], "y": p.Y[:, 0], "ŷ - y": p.dZ2[:, 0], "loss": p.losses}
    show_table(list(columns), [[text(v) for v in row] for row in zip(*columns.values())])


def check(p):
    """Central differences beside the gradients."""
    numeric = numeric_gradient(p)
    st.write(
        "Move one parameter up and down by 0.00001, compute the loss both times, and divide the "
        "difference by 0.00002. This needs no chain rule, and it must give the same number."
    )
    rows = [
        (name, text(ours, 8), text(other, 8), f"{abs(ours - other):.0e}")
        for (name, ours), (_, other) in zip(parameters(p.gradient), parameters(numeric))
    ]
    show_table(["parameter", "backpropagation", "central difference", "apart"], rows)


def numeric_gradient(p):
    """The gradient of a pass by central differences."""
    rows = reference.network.rows(p.X, p.Y, np.float64)
    row = reference.activations.ACTIVATIONS[p.activation]
    net = type(p.net)(*(array.copy() for array in p.net))
    return gradcheck.numeric_gradient(net, row, reference.losses.LOSSES[p.loss], rows)


# ---------------------------------------------------------------- the step


def step():
    """Gradient descent by hand: one step after another."""
    setup = lab.setup("pass")
    X, Y = setup.samples(SAMPLES)
    left, right = st.columns(2)
    with left:
        chosen = lab.choose_sample(X, Y, "learn-step-samples", with_all=True, first="all")
    rate = right.select_slider("Learning rate", RATES, 0.5, key="learn-pass-rate")
    net, log = begun(setup)
    p = pass_of(net, setup.activation, X[chosen], Y[chosen])
    buttons(setup, X[chosen], Y[chosen], rate)
    after = after_step(net, p.gradient, rate)
    new_loss = pass_of(after, setup.activation, X[chosen], Y[chosen]).mean_loss
    st.markdown(
        f"Steps taken: **{len(log)}**. The loss is **{text(p.mean_loss, 6)}**; the next step makes "
        f"it **{text(new_loss, 6)}**."
    )
    show_progress(setup, net, log, X, Y)
    drawing.show(p, None, forward=False, key="drawing-step")
    lab.show_formulas(foretold(p, rate, new_loss))
    along(p, rate)
    st.subheader("Every parameter and its step", anchor=False)
    step_table(p, after, rate)


def begun(setup):
    """The network after the steps so far, and their log; both begin anew with another setup."""
    if st.session_state.get("learn-step-of") != setup:
        restart(setup)
    return st.session_state["learn-step-net"], st.session_state["learn-step-log"]


def restart(setup):
    """Go back to the initial weights."""
    st.session_state["learn-step-of"] = setup
    st.session_state["learn-step-net"], st.session_state["learn-step-log"] = setup.network(), []


def take(setup, X, Y, rate, count):
    """Take steps, and write each into the log."""
    for _ in range(count):
        net, log = st.session_state["learn-step-net"], st.session_state["learn-step-log"]
        p = pass_of(net, setup.activation, X, Y)
        after = after_step(net, p.gradient, rate)
        loss = pass_of(after, setup.activation, X, Y).mean_loss
        if not np.isfinite(loss):
            return
        st.session_state["learn-step-net"] = after
        row = (len(log) + 1, "all" if len(X) > 1 else f"x = {X[0, 0]:g}", rate, p.mean_loss, loss)
        st.session_state["learn-step-log"] = [*log, row]


def buttons(setup, X, Y, rate):
    """One step, ten steps, start over."""
    left, middle, right = st.columns(3)
    left.button(
        "Take the step", on_click=take, args=(setup, X, Y, rate, 1), type="primary",
        width="stretch", key="do-step",
    )  # fmt: skip
    middle.button(
        "Take 10 steps", on_click=take, args=(setup, X, Y, rate, 10), width="stretch",
        key="do-ten",
    )  # fmt: skip
    right.button("Start over", on_click=restart, args=(setup,), width="stretch", key="do-again")


def foretold(p, rate, new_loss):
    """The step as a formula, and what its first order predicts."""
    norm = reference.network.gradient_norm(p.gradient)
    told = p.mean_loss - rate * norm**2
    return [
        (r"w \leftarrow w - r\,\dfrac{\partial L}{\partial w}", "for every w in W1, b1, W2, b2."),
        (
            rf"L - r\,|g|^2 = {tex(p.mean_loss, 6)} - {tex(rate)} \cdot {tex(norm)}^2 "
            rf"= {tex(told, 6)}",
            "is what the slope predicts.",
        ),
        (
            rf"L_{{\text{{after}}}} = {tex(new_loss, 6)}",
            "is what happens; the rest is curvature.",
        ),
    ]


def step_table(p, after, rate):
    """Show one row per parameter: before, gradient, step, after."""
    rows = []
    for (name, w), (_, g), (_, new) in zip(
        parameters(p.net), parameters(p.gradient), parameters(after)
    ):
        rows.append((name, text(w, 6), text(g, 6), text(-rate * g, 6), text(new, 6)))
    show_table(["parameter", "w", "gradient", "-r · gradient", "w after"], rows)


def show_progress(setup, net, log, X, Y):
    """The curve of the network against the function, and the last steps."""
    left, right = st.columns(2)
    with left:
        show_chart(themed(curves_chart(setup, net, X, Y), theme()), key="step-curve")
    with right:
        st.markdown("**The last steps**")
        if not log:
            st.caption("No step yet.")
            return
        rows = [(f"{n}", s, f"{r:g}", text(a, 6), text(b, 6)) for n, s, r, a, b in log[:-9:-1]]
        show_table(["step", "sample", "rate", "loss before", "loss after"], rows)


def curves_chart(setup, net, X, Y):
    """The function, the network at first and now."""
    x = np.linspace(-1, 1, 121)
    lines = {
        "function": setup.f(x),
        "network at first": curve(setup.network(), setup.activation, x),
        "network now": curve(net, setup.activation, x),
    }
    frame = pd.concat([pd.DataFrame({"x": x, "y": y, "line": name}) for name, y in lines.items()])
    colours = alt.Scale(domain=list(lines), range=["#8a8f98", SETS["test"], SETS["train"]])
    line = (
        alt.Chart(frame)
        .mark_line()
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(domain=[-1, 1])),
            y=alt.Y("y:Q", title="y"),
            color=alt.Color(
                "line:N", title=None, scale=colours, legend=alt.Legend(orient="bottom")
            ),
            strokeDash=alt.StrokeDash("line:N", legend=None),
        )
    )
    dots = alt.Chart(pd.DataFrame({"x": X[:, 0], "y": Y[:, 0]})).mark_point(
        filled=True, size=45, color="#8a8f98", opacity=1
    )
    chart = line + dots.encode(x="x:Q", y="y:Q")
    return chart.properties(
        title=text_title("The function and the network"), height=300, width="container"
    )


def along(p, rate):
    """The loss after a step of each rate along this gradient."""
    rates = np.geomspace(0.001, 10, 120)
    with np.errstate(all="ignore"):
        losses = np.array(loss_along(p, rates))
    norm = reference.network.gradient_norm(p.gradient)
    told = p.mean_loss - rates * norm**2
    kept = np.isfinite(losses) & (losses < 3 * p.mean_loss)
    names = ["loss after the step", "the slope predicts"]
    frame = pd.concat(
        pd.DataFrame({"rate": rates[there], "loss": values[there], "line": name})
        for name, values, there in zip(names, (losses, told), (kept, told > 0))
    )
    colours = alt.Scale(domain=names, range=[SETS["train"], SETS["val"]])
    lines = alt.Chart(frame).mark_line().encode(
        x=alt.X("rate:Q", title="learning rate", scale=alt.Scale(type="log", nice=False),
                axis=alt.Axis(values=[0.001, 0.01, 0.1, 1, 10], format="~g")),
        y=alt.Y("loss:Q", title="loss after the step"),
        color=alt.Color("line:N", title=None, scale=colours, legend=alt.Legend(orient="bottom")),
        strokeDash=alt.StrokeDash("line:N", legend=None),
    )  # fmt: skip
    rule = alt.Chart(pd.DataFrame({"rate": [rate]})).mark_rule(strokeDash=[3, 3], color="#8a8f98")
    best = rates[np.nanargmin(losses)]
    title = f"Along this gradient a rate of about {best:.2g} would lower the loss most"
    chart = (lines + rule.encode(x="rate:Q")).properties(
        title=text_title(title, "the dashed vertical line is your rate"),
        height=260, width="container",
    )  # fmt: skip
    show_chart(themed(chart, theme()), key="step-along")
