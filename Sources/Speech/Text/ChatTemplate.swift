// The chat template of an instructed language model, which its files give as a program in Jinja. Only
// one form of chat is written here, ChatML, whose turns stand between two marks; the program is read for
// the one thing that models of this form differ in, what the system says by default.

/// Turns of a chat in ChatML.
public struct ChatTemplate: Sendable, Equatable {
  /// What the system says where the user does not ask for something else; nil where it says nothing.
  public let system: String?

  /// - Parameter jinja: the template of a model's files
  /// - Throws: where it is of another form.
  public init(_ jinja: String) throws {
    let starts = ["<|im_start|>assistant\\n", "<|im_start|>assistant\n"]
    guard starts.contains(where: jinja.contains), jinja.contains("<|im_end|>"),
      !jinja.contains("trim")
    else {
      throw TokenizerError(
        "the chat template is not of the form <|im_start|>role, text, <|im_end|>; give the whole prompt "
          + "with --plain")
    }
    system = ChatTemplate.system(jinja)
  }

  /// The text of the first literal that is a whole turn of the system.
  private static func system(_ jinja: String) -> String? {
    for quote in ["'", "\""] {
      for part in jinja.split(
        separator: "\(quote)<|im_start|>system", omittingEmptySubsequences: false
      )
      .dropFirst() {
        let literal = String(part.prefix { String($0) != quote })
          .replacing("\\n", with: "\n").replacing("\\\"", with: "\"")
        if literal.hasPrefix("\n"), literal.hasSuffix("<|im_end|>\n"), literal.count > 12 {
          return String(literal.dropFirst(1).dropLast(11))
        }
      }
    }
    return nil
  }

  /// A question of the user, up to where the answer begins, cut where the user's text begins: sound that
  /// the user gives stands between the two.
  public func prompt(_ user: String) -> (before: String, after: String) {
    let instruction = system.map { "<|im_start|>system\n\($0)<|im_end|>\n" } ?? ""
    return (
      instruction + "<|im_start|>user\n", "\(user)<|im_end|>\n<|im_start|>assistant\n"
    )
  }
}
