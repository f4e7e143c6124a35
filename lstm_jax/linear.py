"""The linear baseline: logistic regression on TF-IDF of words and pairs of words (scikit-learn)."""

from lstm_jax.config import DataConfig
from lstm_jax.errors import UserError
from lstm_jax.text import corpus

NAME = "logistic regression on TF-IDF"
STRENGTH = 3.0  # inverse of the regularisation; scikit-learn's C


def accuracy(config: DataConfig, split: str) -> float:
    """The accuracy on a part of the reviews of a model fit on the training part of the same config.

    Words are scikit-learn's own; a word or pair counts by the logarithm of its number in a review and must
    occur in two training reviews.

    Raises:
      UserError: scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError:
        raise UserError(f"{NAME} needs scikit-learn; pip install 'scikit-learn>=1.5', or do without it") from None
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = make_pipeline(features, LogisticRegression(C=STRENGTH, max_iter=300))
    train_texts, train_labels = corpus.texts(config, "train")
    texts, labels = corpus.texts(config, split)
    return float(model.fit(train_texts, train_labels).score(texts, labels))
