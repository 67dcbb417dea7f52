"""scikit-learn's way in: estimators and a search over one sweep."""

from fastnet.estimator.estimators import FastNetClassifier, FastNetRegressor
from fastnet.estimator.search import FastNetSearchCV

__all__ = ["FastNetClassifier", "FastNetRegressor", "FastNetSearchCV"]
