package main

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// plain is the serializer of a REST client whose answers are read raw.
type plain struct{}

func (plain) SupportedMediaTypes() []runtime.SerializerInfo {
	return serializer.NewCodecFactory(client.Scheme).SupportedMediaTypes()
}
func (plain) EncoderForVersion(e runtime.Encoder, _ runtime.GroupVersioner) runtime.Encoder { return e }
func (plain) DecoderToVersion(d runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder  { return d }
