#include "protocol/kafka/writer.h"

#include <fmt/format.h>

namespace pyralog::protocol {

Error Sizer::refusal() const {
  return Error(code_, fmt::format("field {} {} in version {}", field_ != nullptr ? field_ : "?", why_, version_.value));
}

}  // namespace pyralog::protocol
