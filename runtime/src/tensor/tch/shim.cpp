// What tch lacks: tensors over foreign memory that keep it, DLPack, and the current stream.
//
// Called by ffi.rs alone. Every function gives a null pointer, or why it failed: a text for `rosidl_torch_free_text`. No C++
// exception leaves this file. No header of CUDA is needed: torch's own registry knows its devices.

#include <ATen/ATen.h>
#include <ATen/DLConvertor.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>

namespace {

char no_memory[] = "no memory for the text of an error";

char *text(const char *words) noexcept {
  char *copy = strdup(words);
  return copy ? copy : no_memory;
}

template <typename Work> char *caught(Work &&work) noexcept {
  try {
    work();
    return nullptr;
  } catch (const c10::Error &error) {
    return text(error.what_without_backtrace());
  } catch (const std::exception &error) {
    return text(error.what());
  } catch (...) {
    return text("an exception of an unknown type");
  }
}

/// What keeps foreign memory. It is Rust's until a tensor has it.
struct Owner {
  void *value;
  void (*drop)(void *);
  bool is_ours = false;
};

void drop_owner(void *pointer) {
  std::unique_ptr<Owner> owner(static_cast<Owner *>(pointer));
  if (owner->is_ours)
    owner->drop(owner->value);
}

c10::Device device(int32_t index) {
  if (index < 0)
    return c10::Device(c10::DeviceType::CPU);
  return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
}

} // namespace

extern "C" {

struct RosidlTorchMemory {
  void *data;
  size_t rank;
  const int64_t *shape;
  const int64_t *strides;
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
  int32_t device; // negative for the host
};

struct RosidlTorchTensor {
  size_t rank;
  const int64_t *shape;
  const int64_t *strides;
  const char *type_name;
  uint8_t has_type;
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
  int32_t device; // negative for the host
  uint8_t is_plain;
  uint8_t is_lazy;
  uint8_t is_alone;
  uint8_t needs_grad;
};

void rosidl_torch_free_text(char *words) {
  if (words != no_memory)
    free(words);
}

// Takes `value` when it succeeds, and drops it with the last tensor that uses the memory.
char *rosidl_torch_from_memory(const RosidlTorchMemory *memory, void *value,
                               void (*drop)(void *), at::Tensor **tensor) {
  return caught([&] {
    const c10::IntArrayRef shape(memory->shape, memory->rank);
    const c10::IntArrayRef strides(memory->strides, memory->rank);
    const auto type = at::toScalarType(
        DLDataType{memory->code, memory->bits, memory->lanes});
    const auto place = device(memory->device);
    auto owner = std::make_unique<Owner>(Owner{value, drop});
    Owner *const kept = owner.get();
    auto made = at::for_blob(memory->data, shape)
                    .strides(strides)
                    .context(owner.release(), &drop_owner)
                    .options(at::TensorOptions().dtype(type).device(place))
                    .target_device(place)
                    .make_tensor();
    auto result = std::make_unique<at::Tensor>(std::move(made));
    kept->is_ours = true;
    *tensor = result.release();
  });
}

// The pointers in `out` are valid while the tensor is not changed.
char *rosidl_torch_describe(const at::Tensor *tensor, RosidlTorchTensor *out) {
  return caught([&] {
    TORCH_CHECK(tensor->defined(), "the tensor is undefined");
    *out = RosidlTorchTensor{};
    const auto type = tensor->scalar_type();
    out->type_name = c10::toString(type);
    try {
      const auto known = at::getDLDataType(*tensor);
      out->has_type = 1;
      out->code = known.code;
      out->bits = known.bits;
      out->lanes = known.lanes;
    } catch (const std::exception &) {
      // DLPack has none for it
    }
    const bool is_known = tensor->is_cpu() || tensor->is_cuda();
    out->is_plain = is_known && tensor->layout() == at::kStrided &&
                    !tensor->is_nested() && tensor->has_storage();
    if (!out->is_plain)
      return;
    out->device = tensor->is_cuda() ? tensor->get_device() : -1;
    out->rank = tensor->sizes().size();
    out->shape = tensor->sizes().data();
    out->strides = tensor->strides().data();
    out->is_lazy =
        tensor->is_conj() || tensor->is_neg() || tensor->_is_zerotensor();
    out->needs_grad = tensor->requires_grad();
    out->is_alone =
        tensor->use_count() == 1 && tensor->storage().use_count() == 1;
  });
}

// Has the tensor forget what it is a view of: torch keeps that for gradients, and with it a second tensor over the memory.
char *rosidl_torch_forget_base(at::Tensor *tensor) {
  return caught([&] { *tensor = tensor->variable_data(); });
}

// The tensor's elements on the host or a device, in row-major order; `device` as above.
char *rosidl_torch_copy(const at::Tensor *tensor, at::Tensor **copy) {
  return caught([&] {
    const c10::NoGradGuard no_grad;
    *copy = new at::Tensor(tensor->clone(at::MemoryFormat::Contiguous));
  });
}

char *rosidl_torch_to_dlpack(const at::Tensor *tensor, void **managed) {
  return caught([&] { *managed = at::toDLPackVersioned(*tensor); });
}

// Takes `managed` when it succeeds.
char *rosidl_torch_from_dlpack(void *managed, at::Tensor **tensor) {
  return caught([&] {
    auto *const taken = static_cast<DLManagedTensorVersioned *>(managed);
    const auto is_ours = std::make_shared<bool>(false);
    auto made = at::fromDLPackVersioned(taken, [taken, is_ours](void *) {
      if (*is_ours && taken->deleter)
        taken->deleter(taken);
    });
    auto result = std::make_unique<at::Tensor>(std::move(made));
    *is_ours = true;
    *tensor = result.release();
  });
}

// The backend's own handle of this thread's current stream: a `cudaStream_t`.
char *rosidl_torch_current_stream(int32_t index, void **handle) {
  return caught([&] {
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    *handle = guard.getStream(device(index)).native_handle();
  });
}

// Makes a stream this thread's current one. A stream of somebody else's goes by its address, as torch has it too.
char *rosidl_torch_exchange_stream(int32_t index, int64_t id, int64_t *before) {
  return caught([&] {
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    const c10::Stream stream(c10::Stream::UNSAFE, device(index), id);
    *before = guard.exchangeStream(stream).id();
  });
}
}
