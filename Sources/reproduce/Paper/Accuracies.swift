// paper/accuracies.tsv, and paper/projectors.tsv, as the paper's tables read them.

import Foundation
import Notebook

struct Accuracies {
  private var values: [String: [String: String]] = [:]
  private(set) var checkpoints: [String] = []

  /// Columns: checkpoint, measure, right, trials, value, low, high.
  ///
  /// - Parameter digits: behind the point
  init(reading path: String, digits: Int = 2) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure("\(path) is missing: git restore it, or run make evaluate (make projectors)")
    }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    for (i, line) in lines.enumerated().dropFirst() {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 7, let value = Double(fields[4]) else {
        throw Failure("\(path), line \(i + 1): expected 7 columns with a value in the fifth")
      }
      if values[fields[0]] == nil { checkpoints.append(fields[0]) }
      func number(_ value: Double) -> String {
        String(format: "%.\(digits)f", value).replacing("-", with: "$-$")
      }
      var text = number(value)
      if let low = Double(fields[5]), let high = Double(fields[6]) {
        text += "\\,{\\tiny [\(number(low)), \(number(high))]}"
      }
      guard values[fields[0], default: [:]].updateValue(text, forKey: fields[1]) == nil else {
        throw Failure("\(path), line \(i + 1): \(fields[0]), \(fields[1]) is there twice")
      }
    }
  }

  subscript(checkpoint: String, measure: String) -> String? { values[checkpoint]?[measure] }
}
