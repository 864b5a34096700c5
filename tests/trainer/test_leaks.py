from trainer.leaks import LeakSearch


def leaks_of(benign, malicious):
    search = LeakSearch()
    for label, texts in enumerate((benign, malicious)):
        for text in texts:
            search.add(text, label)
    return {leak.what: leak.balanced_accuracy for leak in search.leaks()}


def test_what_tells_the_label_alone_is_found():
    benign = [f"https://www.site{number}.example" for number in range(100)]
    malicious = [f"http://site{number}.example/a_{number}" for number in range(100)]
    leaks = leaks_of(benign, malicious)
    assert leaks["the scheme https"] == leaks["www."] == leaks["a path"] == 1.0
    assert leaks["the character '_'"] == 1.0


def test_what_both_have_is_none_and_few_rows_say_nothing():
    texts = [f"https://site{number}.example/a" for number in range(100)]
    assert leaks_of(texts, texts) == {}
    assert leaks_of(["https://a.example"], ["b.example"]) == {}
