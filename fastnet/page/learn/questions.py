"""Questions that a teacher would ask beside each chapter, with their answers."""

FORWARD = (
    (
        "A hidden unit's weight and bias are both 0. What does it give, and to which samples?",
        "With the sigmoid it gives s(0) = 0.5 to every sample, with tanh, relu and sin 0. Such a "
        "unit does not look at the input at all; with the sigmoid it only adds half of its output "
        "weight to the bias b2.",
    ),
    (
        "Without the activation, that is with h = z1, which functions could the network compute?",
        "Only straight lines. W2 (W1 x + b1) + b2 is (W2 W1) x + (W2 b1 + b2), the equation of a "
        "line, however many hidden units there are. The activation is what bends it.",
    ),
    (
        "How many numbers does a network with one input, N1 hidden units and one output have?",
        "N1 weights and N1 biases in the hidden layer, N1 weights and one bias at the output: 3 "
        "N1 + 1. With 3 hidden units these are 10.",
    ),
)

BACKWARD = (
    (
        "Why does the way back need the slope s'(z1) of the activation?",
        "It is the chain rule: the loss depends on h, h depends on z1, and the slope says how "
        "much h changes when z1 changes by a little. Where the activation is flat, changing z1 "
        "changes nothing, and no gradient gets through.",
    ),
    (
        "With the sigmoid, a unit has z1 = 10. What happens to the gradient of its weight?",
        "h is 0.99995, so the slope h (1 - h) is 0.00005: dW1 and db1 almost vanish. The unit is "
        "saturated and learns very slowly. This is why initial weights must not be large.",
    ),
    (
        "For two samples the errors are 0.3 and -0.3, and a unit gave the same h to both. What is "
        "the mean gradient of its output weight?",
        "0: the mean of 0.3 h and -0.3 h. One sample asks for less, the other for more. That the "
        "mean gradient is 0 does not mean that each sample is right. Choose *all* above and "
        "compare.",
    ),
)

STEP = (
    (
        "Why does the loss after the step differ from what the slope predicts?",
        "The gradient describes the loss as a plane, which is right only close by. The loss is "
        "curved, and the further the step goes, the more the curve departs from the plane. With a "
        "rate of 0.001 the two agree in many digits.",
    ),
    (
        "Take ten steps on one sample, then choose another one. Why has its loss risen?",
        "The steps served the first sample alone, and the same weights serve both. This is why "
        "one takes the mean over all samples, or goes through them in turn.",
    ),
    (
        "Which parameters move most in the first step, and why?",
        "Those with the largest gradients; the rate is the same for all. Here it is mostly the "
        "output's bias and weights: they are one layer nearer to the error, while dW1 and db1 are "
        "made smaller by W2 and by the slope of the activation.",
    ),
)

EPOCHS = (
    (
        "Let a network with 1 hidden unit learn the sine, then 2, then 4. What can each do?",
        "One unit of tanh or sigmoid makes one bend up or down. The sine on -1 to 1 rises and "
        "falls several times, so a few units are needed. *fastnet smallest --task 1* finds how "
        "many.",
    ),
    (
        "Compare all samples per step with 1 sample per step, at the same number of steps. What "
        "differs?",
        "With all samples the loss falls smoothly. With one sample each step follows one error "
        "and the loss goes up and down; but an epoch then has 40 steps instead of one, so for "
        "each look at the data more is learnt. A smaller rate calms it; with a rate of 0.3 the "
        "training diverges.",
    ),
    (
        "Why does the loss fall in leaps, with long flat parts between?",
        "On a flat part the units share the easy part of the function and the gradient is small. "
        "Slowly one unit moves to where the error is; once it is there the gradient grows and the "
        "loss falls quickly. The loss axis is logarithmic, so early leaps look smaller than they "
        "are.",
    ),
)

RATE = (
    (
        "What is seen when the rate is too small, and what when it is too large?",
        "Too small: the loss falls all the time, but slowly. Too large: a step goes past the "
        "valley and up the other side, higher than before; the next goes further still. If "
        "nothing stops it, numbers grow until they are no longer finite: the training has "
        "diverged.",
    ),
    (
        "How does decay on a plateau save a training whose rate is too large?",
        "While the loss does not reach a new lowest value, the rate is multiplied by the factor "
        "every few epochs. As soon as it is small enough, steps stay in the valley. What was "
        "broken meanwhile may stay so: units that were driven far off remain saturated.",
    ),
    (
        "Set the factor to 0.1 and the epochs until decay to 2. What goes wrong now?",
        "The rate falls too early and too far: after a few bad epochs it is so small that hardly "
        "anything is learnt in the rest of the training. The rate never rises again.",
    ),
)

CLIPPING = (
    (
        "Does clipping change the direction of the step?",
        "No. Every gradient of the network is multiplied by the same number c, so the arrow keeps "
        "its direction and only gets shorter. To clip each weight by itself would turn it.",
    ),
    (
        "Why does the clipped training not diverge, and yet not reach a small loss?",
        "A step can no longer be longer than rate times bound, so nothing explodes. But with rate "
        "1 and bound 1 a step still is as long as 1, too long for the bottom of the valley: it "
        "jumps from side to side. Tick *With rate decay*, and see.",
    ),
    (
        "What if the bound is very small, say 0.1?",
        "Then nearly every step is clipped: all have the same length, 0.1 times the rate, "
        "whatever the gradient is. Training is safe and slow.",
    ),
)

SOFTMAX = (
    (
        "Add 100 to all three outputs z2. What happens to the probabilities?",
        "Nothing: the factor e^100 is in the numerator and in every term of the sum, and cancels. "
        "This is why one may subtract the largest output first, so that no power overflows.",
    ),
    (
        "A network gives the right class a probability of 0.01. What is the loss, and what is dz2 "
        "of that class?",
        "The loss is -ln 0.01 = 4.6, and dz2 = 0.01 - 1 = -0.99. However wrong the network is, "
        "the error of an output is never more than 1 in size. With the squared loss on "
        "probabilities the slope of softmax would make the gradient tiny just where the network "
        "is most wrong.",
    ),
    (
        "What are probabilities and loss of a network that knows nothing?",
        "One third each, and -ln(1/3) = 1.0986. A loss above it is worse than guessing.",
    ),
)

STOPPING = (
    (
        "Why does the validation loss rise again while the training loss still falls?",
        "The network begins to learn the noise of its few samples: the curve bends to each dot. "
        "That helps those dots and harms all places between them, where the validation samples "
        "are.",
    ),
    (
        "Why keep the best weights, and not simply stop at the first epoch without a gain?",
        "The loss is not a straight way down: after a worse epoch a better one can follow. With "
        "patience one waits for some epochs, and goes back to the best weights in the end, so "
        "that waiting costs time but never quality.",
    ),
    (
        "May we report the lowest validation loss as the error on new data?",
        "No. The epoch was chosen because its validation loss was lowest, so the number is a "
        "little too good. This is what a third set is for, the test set, which nothing is chosen "
        "by.",
    ),
)
