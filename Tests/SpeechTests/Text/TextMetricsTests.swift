// Word errors by hand, BLEU against sacreBLEU 2.x with `tok:none` (its values, printed in full).

import Interventions
import Speech
import Testing

@Suite struct TextMetricsTests {
  @Test func wordErrorsAreTheCheapestAlignment() {
    #expect(WordErrors(of: "red bat", against: "red bat") == WordErrors(errors: 0, words: 2))
    #expect(WordErrors(of: "", against: "red bat") == WordErrors(errors: 2, words: 2))
    #expect(
      WordErrors(of: "the red cat sat", against: "red bat") == WordErrors(errors: 3, words: 2))
    #expect(WordErrors(of: "b c d", against: "a b c") == WordErrors(errors: 2, words: 3))
    // The normaliser takes case and punctuation away, and leaves accents.
    #expect(WordErrors(of: "Red, BAT!", against: "red bat").errors == 0)
    #expect(WordErrors(of: "murcielago", against: "murciélago").errors == 1)
    let sum = WordErrors(errors: 1, words: 4) + WordErrors(errors: 2, words: 2)
    #expect(sum.rate == 0.5)
  }

  func bleu(_ pairs: [(String, String)]) -> Double {
    var bleu = Bleu()
    for (said, reference) in pairs { bleu.add(said, reference: reference) }
    return bleu.score
  }

  @Test func bleuIsThatOfSacreBLEU() {
    let corpus = bleu([
      ("murciélago rojo y mapa azul", "murciélago rojo y mapa verde"),
      ("furgoneta dos y abanico tres", "furgoneta dos y abanico tres"),
      ("di otra vez la cabra blanca", "di otra vez el abrigo blanco"),
      ("lago luego mapa luego taza", "lago luego gorra luego taza"),
    ])
    #expect(abs(corpus - 52.478_664_424_164_28) < 1e-10)
    #expect(abs(bleu([("a b c d e", "a b d c e f")]) - 21.994_586_237_921_105) < 1e-10)
    #expect(
      abs(bleu([("a b c d", "a b c d e f"), ("x y z w v", "x q z w p")]) - 39.507_465_520_836_03)
        < 1e-10)
    // Too short for four words in a row.
    #expect(bleu([("uno dos tres", "uno dos cuatro cinco")]) == 0)
    #expect(bleu([("", "uno")]) == 0)
  }
}
