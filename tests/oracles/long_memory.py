"""Detrended fluctuation analysis by fitted polynomials, and exact fractional Gaussian noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def fluctuation(returns: NDArray[np.float64], window: int) -> float:
    """F(window): windows from the start and from the end, a straight line fitted in each."""
    profile = np.cumsum(returns - np.mean(returns))
    place = np.arange(window)
    squares = []
    for ordered in (profile, profile[::-1]):
        for k in range(len(profile) // window):
            piece = ordered[k * window : (k + 1) * window]
            squares.append(np.mean((piece - np.polyval(np.polyfit(place, piece, 1), place)) ** 2))
    return math.sqrt(float(np.mean(squares)))


def fractional_gaussian_noise(hurst: float, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Unit-variance fractional Gaussian noise with exactly its autocovariance.

    Davies and Harte (1987), Biometrika 74:95, https://doi.org/10.1093/biomet/74.1.95: the autocovariance, wrapped
    to a circle of 2n, has the eigenvalues of its Fourier transform.
    """
    k = np.arange(n + 1, dtype=np.float64)
    covariance = 0.5 * ((k + 1) ** (2 * hurst) - 2 * k ** (2 * hurst) + np.abs(k - 1) ** (2 * hurst))
    eigenvalues = np.fft.fft(np.concatenate([covariance, covariance[-2:0:-1]])).real
    assert eigenvalues.min() > -1e-9
    normal = rng.standard_normal(2 * n) + 1j * rng.standard_normal(2 * n)
    path: NDArray[np.float64] = np.fft.fft(np.sqrt(np.maximum(eigenvalues, 0) / (2 * n)) * normal).real[:n]
    return path
