"""The one core: from trained models to integer graphs and encrypted computation.

`fhe_estimators.core.lowering` is the page to begin with: its stages are the rooms of this
package.
"""
