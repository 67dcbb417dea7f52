"""The scikit-learn interface: two estimators, and a search that is one sweep."""

from fastnet.estimator.estimators import FastNetClassifier, FastNetRegressor
from fastnet.estimator.search import FastNetSearchCV

__all__ = ["FastNetClassifier", "FastNetRegressor", "FastNetSearchCV"]
