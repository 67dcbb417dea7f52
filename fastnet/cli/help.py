"""Help in sections: the options that most people need, and with --help-all every one."""

import click

from fastnet.options.table import GROUPS, OPTIONS

# The options of the table that --help shows; a command with few options shows all of them.
MAIN = (
    *("n1", "seeds", "activation", "optimizer", "learning_rate", "clip_norm", "batch_size", "l2"),
    *("max_epochs", "patience", "target_loss", "target_rmse", "target_r2", "target_accuracy"),
    *("time_limit", "success_rate", "confidence", "within", "halving", "function", "samples"),
    *("data", "target", "exclude", "categorical", "impute", "scale", "class_weight", "group"),
    *("validation_fraction", "test_fraction", "folds", "threads", "keep", "record", "stop"),
)
FEW = 30  # options that are all shown
OWN = "Options"


class Command(click.Command):
    """A command whose help has the sections of the options table, and whose --help is short."""

    def get_params(self, ctx):
        """Its parameters, and --help-all if --help leaves some out."""
        params = super().get_params(ctx)
        return [*params, help_all()] if self.left_out() else params

    def left_out(self):
        """The options that --help does not show."""
        rows = [one for one in self.params if isinstance(one, click.Option)]
        rows = [one for one in rows if section_of(one) != OWN]
        return [one for one in rows if one.name not in MAIN] if len(rows) > FEW else []

    def format_options(self, ctx, formatter):
        """A section for each group of options, the command's own ones first."""
        hidden = [] if ctx.meta.get("help_all") else self.left_out()
        sections = {title: [] for title in (OWN, *GROUPS.values())}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and param not in hidden:
                sections[section_of(param)].append(param.get_help_record(ctx))
        for title, lines in sections.items():
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)
        if hidden:
            formatter.write_paragraph()
            formatter.write_text(f"{len(hidden)} more options: {ctx.command_path} --help-all")


def section_of(option):
    """The title of the section that an option belongs to."""
    row = OPTIONS.get(option.name)
    of_table = row is not None and option.help.startswith(row.help)
    return GROUPS[row.group] if of_table else OWN


def help_all():
    """The option --help-all."""

    def show(ctx, param, value):
        if value:
            ctx.meta["help_all"] = True
            click.echo(ctx.get_help())
            ctx.exit()

    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the help of all options and exit.",
    )
