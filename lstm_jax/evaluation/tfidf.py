"""The linear baseline: logistic regression on TF-IDF of words and pairs of words (scikit-learn)."""

from lstm_jax.config import DataConfig
from lstm_jax.data import corpus
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

NAME = "logistic regression on TF-IDF"
STRENGTHS = (0.3, 1.0, 3.0, 10.0)  # inverses of the regularisation, scikit-learn's C


def accuracy(config: DataConfig, split: str) -> float:
    """The accuracy on a part of the reviews of a model fit on the training part of the same config.

    Words are scikit-learn's own; a word or pair counts by the logarithm of its number in a review and must
    occur in two training reviews. Of some strengths of regularisation the one counts that validates best.

    Raises:
      UserError: scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UserError(f"{NAME} needs scikit-learn; pip install 'scikit-learn>=1.5', or do without it") from None
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    (train_texts, train_labels), validation = corpus.texts(config, "train"), corpus.texts(config, "validation")
    counted = features.fit_transform(train_texts)
    fits = [LogisticRegression(C=strength, max_iter=300).fit(counted, train_labels) for strength in STRENGTHS]

    def score(model: LogisticRegression, texts: list[str], labels: HostArray) -> float:
        return float(model.score(features.transform(texts), labels))

    best = max(fits, key=lambda model: score(model, *validation))
    return score(best, *corpus.texts(config, split))
