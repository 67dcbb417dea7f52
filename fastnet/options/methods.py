"""The methods by name: activations, losses, optimizers, schedules, initial weights.

No numpy here: `fastnet --help` imports this file.
"""

# Each name is a row of a table in a module of kernels, and in formulas.py.
ACTIVATIONS = (
    *("sigmoid", "tanh", "relu", "identity", "leaky_relu"),
    *("elu", "softplus", "gelu", "silu", "sin"),
)
FIRST_ORDER = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop")
OPTIMIZERS = (*FIRST_ORDER, "lm", "br", "lbfgs")
DAMPINGS = ("marquardt", "nielsen")
LOSSES = (
    *("squared", "cross_entropy", "absolute", "huber", "log_cosh", "poisson", "quantile"),
    "binary_cross_entropy",
)
CLASSIFIERS = ("cross_entropy", "binary_cross_entropy")  # losses whose targets are classes
SCHEDULES = ("plateau", "constant", "cosine", "step", "exponential", "one_cycle")
STOP_REASONS = ("running", "target", "patience", "max_epochs", "diverged", "converged")
INITS = ("auto", "glorot_uniform", "he_normal", "nguyen_widrow")
# Learning rates where none is given; docs/methods.md, section 4.
LEARNING_RATES = {
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "rmsprop": 0.01,
    "adam": 0.01,
    "adamw": 0.01,
    "rprop": 0.01,
}
# Options of the methods that take steps of a given rate: the others find the length of their steps
# themselves, from all samples at once.
STEPPED = (
    *("learning_rate", "clip_norm", "batch_size", "lr_patience", "min_learning_rate"),
    *("schedule", "warmup_epochs"),
)
# What makes use of an option; there is no row for those that always count.
USERS = {
    "momentum": ("optimizer", ("momentum", "nesterov")),
    "rho": ("optimizer", ("rmsprop",)),
    "beta_1": ("optimizer", ("adam", "adamw")),
    "beta_2": ("optimizer", ("adam", "adamw")),
    "epsilon": ("optimizer", ("rmsprop", "adam", "adamw")),
    "weight_decay": ("optimizer", ("adamw",)),
    "decay_epochs": ("schedule", ("step", "exponential")),
    "huber_delta": ("loss", ("huber",)),
    "quantile": ("loss", ("quantile",)),
    "damping": ("optimizer", ("lm", "br")),
    **{name: ("optimizer", FIRST_ORDER) for name in STEPPED},
}
